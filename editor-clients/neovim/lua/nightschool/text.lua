--- Parts of a text to accept, and places in a buffer. Rows and columns count from 0, columns in bytes.

local M = {}

---@class nightschool.Place
---@field row integer
---@field col integer

--- Return the text up to the end of its first word, as Vim's `w` sees words in this buffer.
---@param text string
---@return string
function M.word(text)
  local word = vim.fn.matchstr(text, [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]])
  return word ~= '' and word or text
end

--- Return the text up to the end of its first line that has any text.
---@param text string
---@return string
function M.line(text)
  return text:match('^\n*[^\n]*')
end

--- Return the cursor's place in the current window.
---@return nightschool.Place
function M.cursor()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  return { row = row - 1, col = col }
end

---@param buf integer
---@param from nightschool.Place
---@param to nightschool.Place
---@return string? text nil where the places are not in this order, or not in the buffer
function M.between(buf, from, to)
  if from.row > to.row or (from.row == to.row and from.col > to.col) then
    return nil
  end
  local ok, lines = pcall(vim.api.nvim_buf_get_text, buf, from.row, from.col, to.row, to.col, {})
  return ok and table.concat(lines, '\n') or nil
end

--- Return a place as the server counts it.
---@param buf integer
---@param place nightschool.Place
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return lsp.Position
function M.to_lsp(buf, place, encoding)
  local line = vim.api.nvim_buf_get_lines(buf, place.row, place.row + 1, false)[1] or ''
  local character = vim.str_utfindex(line, encoding, math.min(place.col, #line), false)
  return { line = place.row, character = character }
end

--- Return a place that the server names.
---@param buf integer
---@param position lsp.Position
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return nightschool.Place
function M.from_lsp(buf, position, encoding)
  local line = vim.api.nvim_buf_get_lines(buf, position.line, position.line + 1, false)[1] or ''
  return { row = position.line, col = vim.str_byteindex(line, encoding, position.character, false) }
end

--- Insert text at a place of the current buffer and put the cursor behind it; one undo takes it back, and no more.
---@param place nightschool.Place
---@param text string
function M.insert(place, text)
  vim.bo.undolevels = vim.bo.undolevels -- Setting it, even to itself, begins a new undo block.
  local lines = vim.split(text, '\n', { plain = true })
  vim.api.nvim_buf_set_text(0, place.row, place.col, place.row, place.col, lines)
  local column = #lines[#lines] + (#lines == 1 and place.col or 0)
  vim.api.nvim_win_set_cursor(0, { place.row + #lines, column })
end

return M
