--- Ghost text from a local model that goes to school on your own edits. See |nightschool|.
---
--- The functions here are all that a configuration needs; none of them throws when there is no server.

local M = {}

local function has_file()
  return vim.iter(vim.api.nvim_list_bufs()):any(function(buffer)
    return vim.bo[buffer].filetype ~= ''
  end)
end

--- Check the options, then have the server started with the first file. Call it once, in your configuration.
---@param opts? nightschool.Options
function M.setup(opts)
  local options = require('nightschool.config').use(opts)
  for action, lhs in pairs(options.keymap) do
    M.map(lhs, action)
  end
  -- A plugin manager may load this when the first file is open already.
  if vim.v.vim_did_enter == 1 and has_file() then
    vim.schedule(M.start)
    return
  end
  -- Neovim's LSP client takes longer to load than all of this plugin, so it waits for the first file.
  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('nightschool', {}),
    once = true,
    callback = function()
      if vim.v.vim_did_enter == 1 then
        vim.schedule(M.start)
      else
        vim.api.nvim_create_autocmd('VimEnter', { once = true, callback = vim.schedule_wrap(M.start) })
      end
    end,
  })
end

--- Have the server attached to all files, those open now included.
function M.start()
  require('nightschool.server').enable()
end

--- Map `lhs` in insert mode to an action; without ghost text the key does what it does unmapped.
---@param lhs string
---@param action nightschool.Action
function M.map(lhs, action)
  local key = vim.api.nvim_replace_termcodes(lhs, true, true, true)
  vim.keymap.set('i', lhs, function()
    if not M[action]() then
      vim.api.nvim_feedkeys(key, 'in', false)
    end
  end, { desc = 'Nightschool: ' .. action:gsub('_', ' ') })
end

--- Insert the ghost text. Like the actions below it returns whether there was something to act on, so that a
--- mapping can fall back on something else.
---@return boolean
function M.accept()
  return require('nightschool.suggestion').accept('all')
end

--- Insert the ghost text up to the end of its next word, and keep the rest on display.
---@return boolean
function M.accept_word()
  return require('nightschool.suggestion').accept('word')
end

--- Insert the ghost text up to the end of its next line, and keep the rest on display.
---@return boolean
function M.accept_line()
  return require('nightschool.suggestion').accept('line')
end

--- Take the ghost text away and tell the server that it was not wanted: it will not come back here by itself.
---@return boolean
function M.dismiss()
  return require('nightschool.suggestion').dismiss()
end

--- Show the next of up to three candidates; they are asked for at the first call.
---@return boolean
function M.next()
  return require('nightschool.suggestion').cycle(1)
end

---@return boolean
function M.previous()
  return require('nightschool.suggestion').cycle(-1)
end

--- Ask for ghost text here and now; brings back what was dismissed.
---@return boolean
function M.request()
  return require('nightschool.suggestion').request()
end

--- Return whether there is ghost text on display.
---@return boolean
function M.is_visible()
  return require('nightschool.suggestion').visible() ~= nil
end

--- Return what a status line needs: `state`, `message`, `model`, `adapter`, and `training` while a night goes on.
---@return nightschool.Status
function M.status()
  return require('nightschool.status').current
end

--- Return a short text for 'statusline'; empty where the buffer has no server.
---@return string
function M.statusline()
  return require('nightschool.status').line(vim.api.nvim_get_current_buf())
end

return M
