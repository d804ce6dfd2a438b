--- `:Nightschool`: what each of its subcommands does.

local notify = require('nightschool.notify')
local server = require('nightschool.server')
local status = require('nightschool.status')

local M, H = {}, {}

local TOGGLES = { 'buffer', 'filetype', 'everywhere' }

---@type table<string, { run: fun(argument?: string), arguments?: string[] }>
local SUBCOMMANDS = {
  train = {
    arguments = { 'cancel' },
    run = function(argument)
      require('nightschool.night')[argument == 'cancel' and 'cancel' or 'train']()
    end,
  },
  status = {
    run = function()
      H.show_status()
    end,
  },
  stats = {
    run = function()
      H.show_output({ 'stats' })
    end,
  },
  report = {
    run = function()
      H.run({ 'report' }, H.open_page)
    end,
  },
  rollback = {
    run = function()
      H.roll_back()
    end,
  },
  toggle = {
    arguments = TOGGLES,
    run = function(argument)
      H.toggle(argument or 'everywhere')
    end,
  },
  snooze = {
    arguments = { '5', '30', '60', '0' },
    run = function(argument)
      H.snooze(argument)
    end,
  },
  log = {
    run = function()
      H.open_log()
    end,
  },
  restart = {
    run = function()
      server.restart()
    end,
  },
}

---@param arguments string[]
function M.run(arguments)
  local name, argument = unpack(arguments)
  local subcommand = SUBCOMMANDS[name or 'status']
  if not subcommand then
    local known = vim.tbl_keys(SUBCOMMANDS)
    table.sort(known)
    return notify.warn(('%s is no subcommand; there are %s'):format(name, table.concat(known, ', ')))
  end
  subcommand.run(argument)
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local name = line:match('^%S+%s+(%S+)%s')
  local words = name and ((SUBCOMMANDS[name] or {}).arguments or {}) or vim.tbl_keys(SUBCOMMANDS)
  local fitting = vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, words)
  table.sort(fitting)
  return fitting
end

--- Show lines in a window of their own, which `q` closes.
---@param title string
---@param lines string[]
---@param filetype? string
function H.show(title, lines, filetype)
  local buf = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].bufhidden, vim.bo[buf].modifiable, vim.bo[buf].filetype = 'wipe', false, filetype or ''
  vim.api.nvim_buf_set_name(buf, ('nightschool://%s/%d'):format(title, buf))
  vim.cmd.split({ mods = { split = 'botright' } })
  vim.api.nvim_win_set_buf(0, buf)
  vim.api.nvim_win_set_height(0, math.min(#lines, math.floor(vim.o.lines / 2)))
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buf, desc = 'Close' })
end

--- Run `nightschool` with arguments, and hand over what it prints; say what it says if it fails.
---@param arguments string[]
---@param then_ fun(output: string)
function H.run(arguments, then_)
  local command = server.find()
  if not command then
    return notify.warn('no server found; run: pipx install nightschool')
  end
  vim.system(vim.list_extend(vim.deepcopy(command), arguments), { text = true }, function(done)
    vim.schedule(function()
      local said = vim.trim(done.stdout or '')
      if done.code ~= 0 and said == '' then
        notify.warn(vim.trim(done.stderr or '') ~= '' and vim.trim(done.stderr) or 'exit code ' .. done.code)
      else
        then_(said)
      end
    end)
  end)
end

---@param arguments string[]
function H.show_output(arguments)
  H.run(arguments, function(output)
    H.show(arguments[1], vim.split(output, '\n'))
  end)
end

--- Open the page that the report was written to; without a browser (over SSH, say) its path is the way to it.
---@param path string
function H.open_page(path)
  local _, problem = vim.ui.open(path)
  notify.info('the report is ' .. path .. (problem and ' (no browser was opened)' or ''))
end

--- Let what served before serve again: in the server, which knows its own model and says what it did.
function H.roll_back()
  if server.any_client() then
    return server.execute('nightschool.rollback', {}, function() end)
  end
  H.run({ 'adapters', 'rollback' }, notify.info)
end

function H.show_status()
  local client = server.any_client()
  local known = status.current
  local lines = { 'state    ' .. known.state .. (known.message ~= '' and ': ' .. known.message or '') }
  local function line(name, value)
    if value and value ~= '' and value ~= vim.NIL then
      table.insert(lines, ('%-8s %s'):format(name, tostring(value)))
    end
  end
  line('remedy', known.remedy)
  line('model', known.model)
  line('adapter', known.adapter)
  line('training', known.training)
  line('server', client and client.server_info and client.server_info.version)
  local refusal = server.refusal(vim.api.nvim_get_current_buf())
  line('buffer', refusal and 'left alone: ' .. refusal)
  vim.list_extend(lines, #notify.history > 0 and { '', unpack(notify.history) } or {})
  H.show('status', lines)
end

---@param what string
function H.toggle(what)
  if what == 'buffer' then
    vim.b.nightschool_enabled = vim.b.nightschool_enabled == false
    require('nightschool.suggestion').clear()
    return H.tell_toggled('in this buffer', vim.b.nightschool_enabled)
  elseif what == 'filetype' then
    local language = server.language_id(vim.bo.filetype)
    return server.configure(function(settings)
      local languages = settings.languages or {}
      languages[language] = languages[language] == false
      settings.languages = languages
      H.tell_toggled('for ' .. language, languages[language])
    end)
  elseif what == 'everywhere' then
    return server.configure(function(settings)
      settings.enabled = settings.enabled == false
      H.tell_toggled('everywhere', settings.enabled)
    end)
  end
  notify.warn(('toggle takes %s, not %s'):format(table.concat(TOGGLES, ', '), what))
end

---@param where string
---@param is_on boolean
function H.tell_toggled(where, is_on)
  require('nightschool.suggestion').clear()
  notify.info((is_on and 'on ' or 'off ') .. where)
end

---@param argument? string minutes
function H.snooze(argument)
  local minutes = tonumber(argument)
  if argument and not (minutes and minutes >= 0) then
    return notify.warn(('snooze takes minutes, not %s'):format(argument))
  end
  server.execute('nightschool.snooze', { minutes }, function()
    require('nightschool.suggestion').clear()
    notify.info(minutes == 0 and 'awake' or 'snoozes' .. (minutes and (' for %g minutes'):format(minutes) or ''))
  end)
end

function H.open_log()
  H.run({ 'status', '--json' }, function(output)
    local ok, found = pcall(vim.json.decode, output)
    if not ok then
      return notify.warn('no log: ' .. output)
    end
    vim.cmd.split(vim.fn.fnameescape(vim.fs.joinpath(found.home, 'server.log')))
    vim.cmd.normal({ 'G', bang = true })
  end)
end

return M
