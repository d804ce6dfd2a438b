--- Ghost text drawn by Neovim's own inline completion (|lsp-inline_completion|, 0.12), whose mappings work with it.
---
--- Left alone it waits 200 ms after each key, shows what has become stale meanwhile, and never cancels a request. So
--- it is let draw, but not ask: its requests end here, and through the handler that came with the latest of them it
--- is told what to show, at once. Everything else is nightschool.suggestion's.

local M = {}

local METHOD = 'textDocument/inlineCompletion'

---@type table<integer, fun(err: nil, items: table[], context: table)> by buffer
local handlers = {}

---@type table<integer, integer> the buffers' clients
local clients = {}

local function is_its_own(handler)
  return handler and debug.getinfo(handler, 'S').source:match('vim/lsp/inline_completion%.lua$') ~= nil
end

--- Let Neovim draw in a buffer.
---@param buf integer
---@param client vim.lsp.Client
---@param on_ready fun(buf: integer) called when it can be told what to show
function M.attach(buf, client, on_ready)
  handlers[buf], clients[buf] = nil, client.id
  if not rawget(client, 'nightschool') then
    local request = client.request
    client.nightschool = true
    client.request = function(self, method, params, handler, bufnr)
      if method == METHOD and is_its_own(handler) then
        handlers[bufnr] = handler
        on_ready(bufnr)
        return true
      end
      return request(self, method, params, handler, bufnr)
    end
  end
  vim.lsp.inline_completion.enable(true, { bufnr = buf })
end

---@param buf integer
---@param items table[]
---@return boolean whether it could be told
local function tell(buf, items)
  local handler = handlers[buf]
  if not handler or not vim.lsp.buf_is_attached(buf, clients[buf]) then
    return false
  end
  handler(nil, items, { method = METHOD, client_id = clients[buf], bufnr = buf })
  return true
end

--- Draw text at a place of a buffer, in place of what was drawn before.
---@param buf integer
---@param place nightschool.Place
---@param text string
---@param _ string a hint, for which there is no room here
---@param command lsp.Command run when Neovim's own mapping accepts it
---@return boolean whether it is on display
function M.show(buf, place, text, _, command)
  local client = vim.lsp.get_client_by_id(clients[buf])
  if not client then
    return false
  end
  local position = require('nightschool.text').to_lsp(buf, place, client.offset_encoding)
  return tell(buf, { { insertText = text, range = { start = position, ['end'] = position }, command = command } })
end

---@param buf integer
function M.hide(buf)
  tell(buf, {})
end

return M
