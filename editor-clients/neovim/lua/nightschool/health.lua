--- |:checkhealth| nightschool.

local M, H = {}, {}

local LEVELS = { ok = vim.health.ok, warn = vim.health.warn, fail = vim.health.error }

function M.check()
  H.check_editor()
  local command = H.check_server()
  if command then
    H.check_installation(command)
  end
  H.check_session()
end

function H.check_editor()
  vim.health.start('nightschool: editor')
  if vim.fn.has('nvim-0.11') == 0 then
    return vim.health.error('Neovim is older than 0.11', 'install Neovim 0.11 or newer')
  end
  local options = require('nightschool.config').options
  local builtin = vim.lsp.inline_completion and options.ghost_text ~= 'own'
  vim.health.ok('ghost text is drawn by ' .. (builtin and "Neovim's inline completion" or 'this plugin'))
  for _, problem in ipairs(require('nightschool.config').problems) do
    vim.health.warn(problem)
  end
  if options.ghost_text == 'builtin' and not vim.lsp.inline_completion then
    vim.health.warn("ghost_text is 'builtin', but this Neovim has no inline completion", 'install Neovim 0.12')
  end
end

---@return string[]?
function H.check_server()
  vim.health.start('nightschool: server')
  local command, places = require('nightschool.server').find()
  if not command then
    local advice = { 'pipx install nightschool', 'or: uv tool install nightschool', "or set the option 'cmd'" }
    vim.health.error('no server found; looked for ' .. table.concat(places, ', '), advice)
    return nil
  end
  local done = H.run(command, { '--version' })
  if done.code ~= 0 then
    vim.health.error(('%s fails: %s'):format(table.concat(command, ' '), vim.trim(done.stderr)))
    return nil
  end
  vim.health.ok(('%s: %s'):format(table.concat(command, ' '), vim.trim(done.stdout)))
  return command
end

--- Pass on what `nightschool doctor` finds.
---@param command string[]
function H.check_installation(command)
  local done = H.run(command, { 'doctor', '--json' })
  local ok, findings = pcall(vim.json.decode, done.stdout)
  if not ok then
    return vim.health.error('nightschool doctor fails: ' .. vim.trim(done.stderr))
  end
  for _, finding in ipairs(findings) do
    local advice = finding.remedy ~= '' and { finding.remedy } or nil
    LEVELS[finding.state](('%s: %s'):format(finding.name, finding.message), advice)
  end
end

function H.check_session()
  vim.health.start('nightschool: session')
  local server = require('nightschool.server')
  local status = require('nightschool.status').current
  local client = server.any_client()
  if server.gave_up then
    vim.health.error(server.gave_up, ':Nightschool restart')
  elseif client then
    local buffers = vim.tbl_count(client.attached_buffers)
    vim.health.ok(('the server is %s, with %d buffers'):format(status.state, buffers))
  else
    vim.health.info('no server is running; the first file starts it')
  end
  if status.message ~= '' then
    vim.health.warn(status.message, status.remedy ~= '' and { status.remedy } or nil)
  end
end

---@param command string[]
---@param arguments string[]
---@return vim.SystemCompleted
function H.run(command, arguments)
  local all = vim.list_extend(vim.deepcopy(command), arguments)
  local ok, done = pcall(function()
    return vim.system(all, { text = true, timeout = 20000 }):wait()
  end)
  return ok and done or { code = 1, signal = 0, stdout = '', stderr = tostring(done) }
end

return M
