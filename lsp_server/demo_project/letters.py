"""Letters to the members whose books are overdue."""

from datetime import date

from loans import Library, Loan


def reminder(loan: Loan, today: date) -> str:
    """One friendly letter."""
    days_late = (today - loan.due_on).days
    lines = [
        f"Dear {loan.member},",
        "",
        f"{loan.book.title} by {loan.book.author} was due on {loan.due_on:%d %B %Y},",
        f"{days_late} days ago. The fine so far is {loan.fine(today):.2f} euros.",
    ]
    return "\n".join(lines)


def reminders(library: Library, today: date) -> dict[str, list[str]]:
    """All letters of today, by member."""
    letters: dict[str, list[str]] = {}
    for loan in library.overdue(today):
        letters.setdefault(loan.member, []).append(reminder(loan, today))
    return letters


def summary(library: Library, today: date) -> str:
    """One line for the librarian."""
    overdue = library.overdue(today)
    owed = sum(loan.fine(today) for loan in overdue)
    return f"{len(overdue)} loans overdue, {owed:.2f} euros owed"
