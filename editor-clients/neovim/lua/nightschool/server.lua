--- Finding, starting and watching the server. One server serves all folders: each has a model in memory.

local config = require('nightschool.config')
local notify = require('nightschool.notify')
local status = require('nightschool.status')

local M, H = {}, {}

M.NAME = 'nightschool'
--- The oldest server that this plugin works with.
M.OLDEST = '0.1.0'

local RESTARTS = 3
local WINDOW_MS = 5 * 60 * 1000

--- How long a server that is to be restarted may take to end.
local PATIENCE_MS = 3000

--- When the server last ended by itself, in milliseconds of the event loop's clock.
---@type integer[]
local crashes = {}

--- Why no server is started any more, until |:Nightschool-restart|.
---@type string?
M.gave_up = nil

--- The server's settings, with what was toggled since.
---@type table
local settings

-- Neovim's file types that LSP calls otherwise.
local LANGUAGE_IDS = {
  bash = 'shellscript',
  cs = 'csharp',
  make = 'makefile',
  objc = 'objective-c',
  ps1 = 'powershell',
  sh = 'shellscript',
  tex = 'latex',
  zsh = 'shellscript',
}

---@param filetype string
---@return string
function M.language_id(filetype)
  return LANGUAGE_IDS[filetype] or filetype
end

--- Return the command `nightschool`; nil, and where it was looked for, if there is none.
---@return string[]? command, string[] places
function M.find()
  local given = config.options.cmd
  if given then
    return vim.fn.executable(given[1]) == 1 and given or nil, { given[1] }
  end
  local places = { 'nightschool' }
  -- Where pipx and uv put commands; an editor started from a desktop often has none of these in its PATH.
  for _, folder in ipairs({ vim.env.PIPX_BIN_DIR or '', vim.env.UV_TOOL_BIN_DIR or '', '~/.local/bin' }) do
    if folder ~= '' then
      table.insert(places, vim.fs.normalize(folder .. '/nightschool'))
    end
  end
  for _, place in ipairs(places) do
    local path = vim.fn.exepath(place)
    if path ~= '' then
      return { path }, places
    end
  end
  return nil, places
end

--- Return the client of a buffer, if it has one that is ready.
---@param buf integer
---@return vim.lsp.Client?
function M.client(buf)
  local client = vim.lsp.get_clients({ bufnr = buf, name = M.NAME })[1]
  return client and client.initialized and not client:is_stopped() and client or nil
end

--- Return the client, whichever buffers it serves.
---@return vim.lsp.Client?
function M.any_client()
  return vim.lsp.get_clients({ name = M.NAME })[1]
end

--- Have the server started with the first file, and attached to each.
function M.enable()
  settings = settings or vim.deepcopy(config.options.settings)
  vim.lsp.config(M.NAME, {
    cmd = H.spawn,
    filetypes = config.options.filetypes,
    root_dir = H.root_dir,
    reuse_client = H.reuse,
    init_options = vim.tbl_isempty(settings) and vim.empty_dict() or settings,
    settings = vim.tbl_isempty(settings) and {} or { nightschool = settings },
    get_language_id = function(_, filetype)
      return M.language_id(filetype)
    end,
    handlers = { ['nightschool/status'] = H.on_status, ['window/showMessage'] = H.on_message },
    on_init = H.on_init,
    on_attach = function(client, buf)
      require('nightschool.suggestion').attach(buf, client)
    end,
  })
  vim.lsp.enable(M.NAME)
end

--- Start anew, whatever went wrong before.
function M.restart()
  crashes, M.gave_up = {}, nil
  notify.mended('server')
  local client = vim.lsp.get_clients({ name = M.NAME, _uninitialized = true })[1]
  if not client then
    return M.enable()
  end
  H.is_restarting = true
  client:stop()
  vim.defer_fn(function()
    if H.is_restarting then
      client:stop(true)
    end
  end, PATIENCE_MS)
end

--- Have the server run one of its commands; a failure is said, and then `on_failure` is called.
---@param command string
---@param arguments any[]
---@param on_result fun(result: any)
---@param more? { token: string, on_failure: fun() } the token is for its progress
function M.execute(command, arguments, on_result, more)
  local client = M.any_client()
  local function fail(message)
    notify.warn(message)
    if more then
      more.on_failure()
    end
  end
  if not client then
    return fail('no server is running; open a file, or see :checkhealth nightschool')
  end
  local params = { command = command, arguments = arguments, workDoneToken = more and more.token }
  client:request('workspace/executeCommand', params, function(problem, result)
    if problem then
      fail(problem.message)
    else
      on_result(result)
    end
  end)
end

--- Change the server's settings.
---@param change fun(settings: table)
function M.configure(change)
  settings = settings or vim.deepcopy(config.options.settings)
  change(settings)
  local client = M.any_client()
  if client then
    client.settings = { nightschool = settings }
    client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- Return why a buffer is left alone; nil where it is not.
---@param buf integer
---@return string?
function M.refusal(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  if vim.bo[buf].buftype ~= '' or not vim.bo[buf].modifiable then
    return 'it is not for editing'
  elseif name == '' then
    return 'it has no file name'
  elseif name:match('^%a[%w+.-]+://') then
    return 'it is not a file of this machine'
  end
  local size = vim.api.nvim_buf_get_offset(buf, vim.api.nvim_buf_line_count(buf))
  if size > config.options.max_file_size then
    return ('it has %d bytes, more than max_file_size (%d)'):format(size, config.options.max_file_size)
  end
  return nil
end

---@param buf integer
---@param on_dir fun(root: string?)
function H.root_dir(buf, on_dir)
  if M.refusal(buf) or M.gave_up then
    return
  end
  local command, places = M.find()
  if not command then
    local message = 'no server found; run: pipx install nightschool'
    status.update({ state = 'error', message = message, remedy = 'pipx install nightschool' })
    notify.warn_once('server', ('%s (looked for %s)'):format(message, table.concat(places, ', ')))
    return
  end
  notify.mended('server')
  on_dir(vim.fs.root(buf, config.options.root_markers))
end

---@param client vim.lsp.Client
---@param wanted vim.lsp.ClientConfig
---@return boolean
function H.reuse(client, wanted)
  if client.name ~= M.NAME or client:is_stopped() then
    return false
  end
  local root = wanted.root_dir
  local folders = client.workspace_folders or {}
  local known = vim.iter(folders):any(function(folder)
    return folder.name == root
  end)
  if root and not known and client.initialized then
    local folder = { uri = vim.uri_from_fname(root), name = root }
    client.workspace_folders = vim.list_extend(folders, { folder })
    client:notify('workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
  end
  return true
end

--- Start the server's process, and take its end into our own hands: Neovim would tell it with a code alone.
---@param dispatchers vim.lsp.rpc.Dispatchers
---@return vim.lsp.rpc.PublicClient
function H.spawn(dispatchers)
  local command = vim.list_extend(vim.deepcopy((assert(M.find()))), { 'serve' })
  status.update({ state = 'starting', message = '' })
  local on_exit = dispatchers.on_exit
  dispatchers.on_exit = function(code, signal)
    on_exit(0, 0)
    vim.schedule(function()
      H.on_exit(code, signal)
    end)
  end
  H.watch_start()
  return vim.lsp.rpc.start(command, dispatchers)
end

--- Say so if the server does not answer in time; it may still.
function H.watch_start()
  vim.defer_fn(function()
    local waiting = vim.iter(vim.lsp.get_clients({ name = M.NAME, _uninitialized = true })):any(function(client)
      return not client.initialized
    end)
    if waiting then
      local message = ('the server has said nothing for %g s'):format(config.options.start_timeout)
      status.update({ state = 'error', message = message, remedy = ':checkhealth nightschool' })
      notify.warn_once('silent', message .. '; see :checkhealth nightschool')
    end
  end, math.floor(1000 * config.options.start_timeout))
end

---@param client vim.lsp.Client
function H.on_init(client)
  H.is_ready, H.is_wanted = true, true
  local stop = client.stop
  client.stop = function(...)
    H.is_wanted = false
    return stop(...)
  end
  notify.mended('silent')
  local version = client.server_info and client.server_info.version or 'unknown'
  local parsed = vim.version.parse(version)
  if not parsed or vim.version.lt(parsed, M.OLDEST) then
    local message = 'the server is version %s, but %s or newer is needed; run: pipx upgrade nightschool'
    notify.warn_once('version', message:format(version, M.OLDEST))
  end
end

--- The process has ended: by our wish, or it is started again, thrice in five minutes at most.
---@param code integer
---@param signal integer
function H.on_exit(code, signal)
  local was_ready, was_wanted = H.is_ready, H.is_wanted
  H.is_ready = false
  require('nightschool.suggestion').clear()
  require('nightschool.night').ended()
  if H.is_restarting then
    H.is_restarting = false
    return M.enable()
  end
  -- Neovim's own way to end a server that it does not wait for is signal 15.
  if (was_ready and not was_wanted) or (code == 0 and (signal == 0 or signal == 15)) then
    return status.update({ state = 'stopped', message = '', remedy = '' })
  end
  local now = vim.uv.now()
  crashes = vim.tbl_filter(function(at)
    return now - at < WINDOW_MS
  end, crashes)
  table.insert(crashes, now)
  local how = signal ~= 0 and ('signal %d'):format(signal) or ('exit code %d'):format(code)
  if was_ready and #crashes <= RESTARTS then
    notify.warn_once('crash', ('the server ended (%s) and is started again'):format(how))
    vim.defer_fn(M.enable, 500 * 2 ^ (#crashes - 1))
    return status.update({ state = 'starting', message = '' })
  end
  local when = was_ready and ('%d times in five minutes'):format(#crashes) or 'before it was ready'
  M.gave_up = ('the server ended (%s) %s'):format(how, when)
  status.update({ state = 'error', message = M.gave_up, remedy = ':Nightschool restart' })
  notify.warn(M.gave_up .. '; see :checkhealth nightschool, then :Nightschool restart')
end

function H.on_status(_, params)
  -- Neovim 0.11 leaves out what is null: the bare base model would not take the adapter's place.
  params.adapter = params.adapter or vim.NIL
  status.update(params)
end

function H.on_message(_, params)
  local is_trouble = params.type <= vim.lsp.protocol.MessageType.Warning
  notify[is_trouble and 'warn' or 'info'](params.message)
end

return M
