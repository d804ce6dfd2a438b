--- Ghost text drawn by this plugin, where Neovim has no inline completion of its own.

local M = {}

local SPACE = vim.api.nvim_create_namespace('nightschool')

--- Have what this needs in a buffer.
function M.attach() end

--- Draw text at a place of a buffer, in place of what was drawn before.
---@param buf integer
---@param place nightschool.Place
---@param text string
---@param hint string shown behind it, such as "(2/3)"
---@return boolean whether it is on display
function M.show(buf, place, text, hint)
  local lines = {}
  for line in vim.gsplit(text, '\n', { plain = true }) do
    table.insert(lines, { { M.spaced(buf, line), 'NightschoolGhost' } })
  end
  if hint ~= '' then
    table.insert(lines[#lines], { ' ' .. hint, 'NightschoolHint' })
  end
  vim.api.nvim_buf_set_extmark(buf, SPACE, place.row, place.col, {
    id = 1,
    virt_text = lines[1],
    virt_text_pos = 'inline',
    virt_lines = vim.list_slice(lines, 2),
    hl_mode = 'combine',
  })
  return true
end

---@param buf integer
function M.hide(buf)
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, SPACE, 0, -1)
  end
end

--- Return a line with its tabs at the width that they will have.
---@param buf integer
---@param line string
---@return string
function M.spaced(buf, line)
  local indent, rest = line:match('^(\t*)(.*)$')
  return (' '):rep(#indent * vim.bo[buf].tabstop) .. rest
end

-- ComplHint is 0.12's; a colour scheme may know neither.
local is_known = vim.fn.hlexists('ComplHint') == 1
vim.api.nvim_set_hl(0, 'NightschoolGhost', { link = is_known and 'ComplHint' or 'Comment', default = true })
vim.api.nvim_set_hl(0, 'NightschoolHint', { link = is_known and 'ComplHintMore' or 'MoreMsg', default = true })

return M
