--- What the server says of itself, for the status line.

local M = {}

---@class nightschool.Status
---@field state 'stopped'|'starting'|'ready'|'busy'|'off'|'error'
---@field message string what is the matter, or empty
---@field remedy string a command that mends it, or empty
---@field model string
---@field adapter? string
---@field training? string how far a night is, while one goes on

---@type nightschool.Status
M.current = { state = 'stopped', message = '', remedy = '', model = '' }

--- Take over what has changed, and have status lines drawn again.
---@param changed table
function M.update(changed)
  M.current = vim.tbl_extend('force', M.current, changed)
  M.current.adapter = M.current.adapter ~= vim.NIL and M.current.adapter or nil
  vim.schedule(function()
    vim.api.nvim_exec_autocmds('User', { pattern = 'NightschoolStatus', modeline = false })
    vim.cmd.redrawstatus({ bang = true })
  end)
end

--- Return how far a night is; nil when it is over.
---@param text? string
function M.train(text)
  M.current.training = text
  M.update({})
end

local MARKS = { stopped = ' !', starting = ' starting', ready = '', busy = ' …', error = ' !' }

---@param buf integer
---@return string
function M.line(buf)
  local client = require('nightschool.server').client(buf)
  local status = M.current
  if not client and status.state ~= 'error' then
    return ''
  end
  if status.training then
    return 'Nightschool ' .. status.training
  end
  if vim.b[buf].nightschool_enabled == false then
    return 'Nightschool off'
  end
  return 'Nightschool' .. (MARKS[status.state] or ' ' .. (status.message ~= '' and status.message or status.state))
end

return M
