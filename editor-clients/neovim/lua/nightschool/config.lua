--- What can be set, and what if it is set wrongly.

local M, H = {}, {}

---@alias nightschool.Action 'accept'|'accept_word'|'accept_line'|'dismiss'|'next'|'previous'|'request'

---@class nightschool.Options
---@field cmd? string[] the command `nightschool`; else it is looked for
---@field filetypes? string[] the file types to complete in; else all
---@field root_markers? string[] what a project's folder holds
---@field max_file_size? integer in bytes; larger files are left alone
---@field start_timeout? number seconds after which a server that says nothing is worth a message
---@field auto? boolean whether ghost text comes by itself, or only when asked for
---@field menu? 'beside'|'hide' what ghost text does while a completion menu is open
---@field ghost_text? 'auto'|'builtin'|'own' who draws: Neovim's inline completion (where it has one), or this plugin
---@field keymap? table<nightschool.Action, string> keys in insert mode; none by default
---@field settings? table the server's settings, as in docs/protocol.md

local ACTIONS = { 'accept', 'accept_word', 'accept_line', 'dismiss', 'next', 'previous', 'request' }

---@class nightschool.Settled: nightschool.Options
local DEFAULTS = {
  cmd = nil,
  filetypes = nil,
  root_markers = { '.git', '.hg', '.jj', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod' },
  max_file_size = 2 * 1024 * 1024,
  start_timeout = 15,
  auto = true,
  menu = 'beside',
  ghost_text = 'auto',
  keymap = {},
  settings = {},
}

local function positive(value)
  return type(value) == 'number' and value > 0
end

local function strings(value)
  return type(value) == 'table'
    and vim.islist(value)
    and #value > 0
    and vim.iter(value):all(function(each)
      return type(each) == 'string'
    end)
end

local function keymap(value)
  return type(value) == 'table'
    and vim.iter(pairs(value)):all(function(action, lhs)
      return vim.tbl_contains(ACTIONS, action) and type(lhs) == 'string' and lhs ~= ''
    end)
end

local function settings(value)
  return type(value) == 'table' and (vim.tbl_isempty(value) or not vim.islist(value))
end

local function boolean(value)
  return type(value) == 'boolean'
end

local function one_of(...)
  local allowed = { ... }
  return function(value)
    return vim.tbl_contains(allowed, value)
  end
end

---@type table<string, { [1]: (fun(value: any): boolean), [2]: string }> what a value must be, and that in words
local CHECKS = {
  cmd = { strings, 'a list of strings' },
  filetypes = { strings, 'a list of strings' },
  root_markers = { strings, 'a list of strings' },
  max_file_size = { positive, 'a number above 0' },
  start_timeout = { positive, 'a number above 0' },
  auto = { boolean, 'true or false' },
  menu = { one_of('beside', 'hide'), "'beside' or 'hide'" },
  ghost_text = { one_of('auto', 'builtin', 'own'), "'auto', 'builtin' or 'own'" },
  keymap = { keymap, 'a table from actions (' .. table.concat(ACTIONS, ', ') .. ') to keys' },
  settings = { settings, 'a table of settings' },
}

---@type nightschool.Settled
M.options = DEFAULTS

--- Return a value in one line.
---@param value any
---@return string
function H.shown(value)
  return (vim.inspect(value, { newline = ' ', indent = '' }))
end

--- Take options; a bad one is named once, its default is used, and the others stand.
---@param opts? nightschool.Options
---@return nightschool.Settled
function M.use(opts)
  local settled, problems = vim.deepcopy(DEFAULTS), {}
  if opts ~= nil and type(opts) ~= 'table' then
    opts, problems = {}, { ('the options are %s, but must be a table'):format(H.shown(opts)) }
  end
  for name, value in vim.spairs(opts or {}) do
    local check = CHECKS[name]
    if check and check[1](value) then
      settled[name] = value
    elseif check then
      table.insert(problems, ('option %s is %s, but must be %s'):format(name, H.shown(value), check[2]))
    else
      table.insert(problems, ('option %s is unknown'):format(name))
    end
  end
  M.options, M.problems = settled, problems
  if #problems > 0 then
    require('nightschool.notify').warn(table.concat(problems, '; '))
  end
  return settled
end

--- What was wrong with the options, for |:checkhealth|.
---@type string[]
M.problems = {}

return M
