--- Messages that never stop the typing: one line each, once per cause.

local M = {}

---@type table<string, boolean>
local told = {}

--- Return whether |vim.notify()| is still Neovim's own, which writes to the command line.
local function writes_to_command_line()
  return debug.getinfo(vim.notify, 'S').source:match('^@vim/') ~= nil
end

--- Return as much of a line as the command line holds: a longer one would ask for a key press.
---@param text string
---@return string
local function fitting(text)
  local room = vim.v.echospace
  if not writes_to_command_line() or vim.fn.strdisplaywidth(text) <= room then
    return text
  end
  local more = ' … (:Nightschool status)'
  return vim.fn.strcharpart(text, 0, math.max(0, room - vim.fn.strchars(more))) .. more
end

---@param text string
---@param level integer one of vim.log.levels
local function tell(text, level)
  text = 'Nightschool: ' .. text:gsub('^Nightschool: ', ''):gsub('%s*\n%s*', '; ')
  table.insert(M.history, text)
  vim.schedule(function()
    vim.notify(fitting(text), level, { title = 'Nightschool' })
  end)
end

--- All that was said, in full, oldest first.
---@type string[]
M.history = {}

---@param text string
function M.info(text)
  tell(text, vim.log.levels.INFO)
end

---@param text string
function M.warn(text)
  tell(text, vim.log.levels.WARN)
end

--- Warn unless something with the same cause was said since it was last mended.
---@param cause string
---@param text string
function M.warn_once(cause, text)
  if not told[cause] then
    told[cause] = true
    M.warn(text)
  end
end

--- The cause is gone; should it come back, that is news.
---@param cause string
function M.mended(cause)
  told[cause] = nil
end

return M
