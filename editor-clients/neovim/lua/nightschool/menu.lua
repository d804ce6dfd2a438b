--- Whether a completion menu is open, and which text its selected item stands for.

local M = {}

--- Return whether a menu is open: Neovim's own, nvim-cmp's or blink.cmp's.
---@return boolean
function M.is_open()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  local cmp, blink = package.loaded['cmp'], package.loaded['blink.cmp']
  return (cmp and cmp.visible() or blink and blink.is_menu_visible()) or false
end

--- Return the text of the selected item where it is not in the buffer yet, and where it would begin.
---@param buf integer
---@param cursor nightschool.Place
---@return { text: string, from: nightschool.Place }?
function M.selected(buf, cursor)
  if vim.fn.pumvisible() == 0 then
    return nil
  end
  local menu = vim.fn.complete_info({ 'items', 'selected' })
  local item = menu.selected >= 0 and menu.items[menu.selected + 1]
  if not item then
    return nil
  end
  local before = vim.api.nvim_buf_get_lines(buf, cursor.row, cursor.row + 1, false)[1]:sub(1, cursor.col)
  local typed = vim.fn.matchstr(before, [[\k*$]])
  if vim.endswith(before, item.word) or not vim.startswith(item.word, typed) then
    return nil
  end
  return { text = item.word, from = { row = cursor.row, col = cursor.col - #typed } }
end

--- Close Neovim's own menu with what it has selected, then call an action.
---@param action string Lua to run
function M.close_then(action)
  local selected = vim.fn.complete_info({ 'selected' }).selected >= 0
  local keys = (selected and '<C-y>' or '<C-e>') .. '<Cmd>lua ' .. action .. '<CR>'
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, true, true), 'in', false)
end

return M
