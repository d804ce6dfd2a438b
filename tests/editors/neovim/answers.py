"""What the scripted model says: by how the text before the cursor ends. Two that fit are two candidates."""

BLOCK = "size = w * h\n    return size"
ANSWERS = {
    "accepted = ": "sum(rows)",
    "area(w, h):\n    ": BLOCK,
    "deep(w, h):\n    ": BLOCK,
    "wordy = ": "max(rows, key=size)",
    "umlauts = ": "größe + naïve",
    "lines(w, h):\n    ": BLOCK,
    "unwanted = ": "min(rows)",
    "left = ": "rows.copy()",
    "t = ": "rows.left()",
    "ß = ": "'𝄞' + π",
    "\tif deep:\n\t\t": "go()\n\t\treturn",
    "typed = ": "list(rows)[0]",
    "twice(number):\n    ": "total = 2 * number\n    return total",
    "diverged = ": "sorted(rows)",
    "undone = ": "any(rows)",
    "pri": "nt(rows)",
    "prin": "t(rows)",
    "print": "(rows)",
    "private": "_rows()",
    "quick = ": "len(rows)",
    "stock = ": "rows.items()",
    "before = ": "1",
    "after = ": "2",
    "hushed = ": "rows.keys()",
}
