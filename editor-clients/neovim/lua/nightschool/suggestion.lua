--- What is asked, what is on display, and what becomes of it. There is one suggestion at a time, at the cursor.

local config = require('nightschool.config')
local menu = require('nightschool.menu')
local text = require('nightschool.text')

local M, H = {}, {}

-- LSP's InlineCompletionTriggerKind, which Neovim 0.11 does not know.
local INVOKED, AUTOMATIC = 1, 2

---@class nightschool.Item
---@field text string
---@field from nightschool.Place where `text` begins; what was typed of it since stands there
---@field raw lsp.InlineCompletionItem as it came

---@class nightschool.Suggestion
---@field buf integer
---@field items nightschool.Item[]
---@field index integer
---@field by_hand boolean whether more than one candidate was asked for
---@field seen table<string, boolean> ids of the offers that were on display

---@type nightschool.Suggestion?
local current

--- The request under way: a newer one takes its place, and its answer is then of no use.
---@type { client: vim.lsp.Client, id: integer }?
local pending

--- Buffer, text and cursor that were asked for last: an event that changes none of them asks for nothing.
---@type string?
local asked

--- Follow what is typed in a buffer.
---@param buf integer
---@param client vim.lsp.Client
function M.attach(buf, client)
  local group = vim.api.nvim_create_augroup('nightschool:' .. buf, {})
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, buffer = buf, callback = callback })
  end
  on({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, H.follow)
  -- No text may change while a menu's selection does.
  on('CompleteChanged', vim.schedule_wrap(H.follow))
  on({ 'InsertLeave', 'BufLeave', 'BufUnload' }, M.clear)
  H.screen().attach(buf, client, H.redraw)
end

--- Who draws.
function H.screen()
  local builtin = config.options.ghost_text ~= 'own' and vim.lsp.inline_completion ~= nil
  return require(builtin and 'nightschool.builtin' or 'nightschool.ghost')
end

--- Return what is left to insert of what is on display, and where; nil where nothing is.
---@return string? rest, nightschool.Item? item
function M.visible()
  if not current or current.buf ~= vim.api.nvim_get_current_buf() or not H.inserting() then
    return nil
  end
  local item = current.items[current.index]
  local typed = text.between(current.buf, item.from, text.cursor())
  if not typed or #typed >= #item.text or not vim.startswith(item.text, typed) then
    return nil
  end
  return item.text:sub(#typed + 1), item
end

function H.inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

--- Take away what is on display, and let go of what was asked.
function M.clear()
  H.cancel()
  H.take_away()
  asked = nil
end

function H.take_away()
  local gone = current
  current = nil
  if gone then
    H.screen().hide(gone.buf)
  end
end

function H.cancel()
  if pending then
    pending.client:cancel_request(pending.id)
    pending = nil
  end
end

--- Text or cursor have changed: keep what is left of the suggestion on display, and ask anew.
function H.follow()
  local buf = vim.api.nvim_get_current_buf()
  local client = require('nightschool.server').client(buf)
  if not client or not H.inserting() then
    return
  end
  local open = config.options.menu == 'hide' and menu.is_open()
  if open or vim.b[buf].nightschool_enabled == false then
    return M.clear()
  end
  H.redraw()
  local here = H.here(buf)
  if here ~= asked and config.options.auto then
    H.ask(client, buf, AUTOMATIC, here)
  end
end

function H.redraw()
  local rest, item = M.visible()
  if not rest or not item then
    return H.take_away()
  end
  H.draw(rest, item)
end

---@param rest string
---@param item nightschool.Item
function H.draw(rest, item)
  local shown = assert(current)
  local hint = shown.by_hand and ('(%d/%d)'):format(shown.index, #shown.items) or ''
  if not H.screen().show(shown.buf, text.cursor(), rest, hint, item.raw.command) then
    return
  end
  local id = H.id(item)
  if not shown.seen[id] then
    shown.seen[id] = true
    H.tell('textDocument/didShowCompletion', { item = item.raw })
  end
end

---@param item nightschool.Item
---@return string
function H.id(item)
  return item.raw.command.arguments[1]
end

--- Return what an answer belongs to: buffer, text, cursor and the menu's selection.
function H.here(buf)
  local cursor = text.cursor()
  local selected = menu.selected(buf, cursor)
  local tick = vim.api.nvim_buf_get_changedtick(buf)
  return table.concat({ buf, tick, cursor.row, cursor.col, selected and selected.text or '' }, ':')
end

---@param client vim.lsp.Client
---@param buf integer
---@param kind lsp.InlineCompletionTriggerKind
---@param here string
---@param then_? fun(items: nightschool.Item[]) what to do with the answer; shown as it is, else
function H.ask(client, buf, kind, here, then_)
  H.cancel()
  asked = here
  local ok, id
  ok, id = client:request('textDocument/inlineCompletion', H.params(client, buf, kind), function(err, result)
    local is_newest = pending and pending.id == id
    pending = not is_newest and pending or nil
    if err or not is_newest or not H.inserting() or buf ~= vim.api.nvim_get_current_buf() or here ~= H.here(buf) then
      return
    end
    local items = H.items(client, buf, result)
    if then_ then
      then_(items)
    else
      H.show(buf, items, 1, false)
    end
  end, buf)
  pending = ok and id and { client = client, id = id } or nil
end

function H.params(client, buf, kind)
  local cursor, encoding = text.cursor(), client.offset_encoding
  local position = text.to_lsp(buf, cursor, encoding)
  local context = { triggerKind = kind }
  local selected = menu.selected(buf, cursor)
  if selected then
    local range = { start = text.to_lsp(buf, selected.from, encoding), ['end'] = position }
    context.selectedCompletionInfo = { range = range, text = selected.text }
  end
  return { textDocument = vim.lsp.util.make_text_document_params(buf), position = position, context = context }
end

---@return nightschool.Item[]
function H.items(client, buf, result)
  return vim
    .iter(result and result.items or result or {})
    :map(function(raw)
      local from = text.from_lsp(buf, raw.range.start, client.offset_encoding)
      return { text = raw.insertText, from = from, raw = raw }
    end)
    :totable()
end

---@param buf integer
---@param items nightschool.Item[]
---@param index integer
---@param by_hand boolean
function H.show(buf, items, index, by_hand)
  if #items == 0 then
    return H.take_away()
  end
  local seen = current and current.seen or {}
  current = { buf = buf, items = items, index = index, by_hand = by_hand, seen = seen }
  H.redraw()
end

--- Insert all of what is on display, or its next word or line.
---@param part 'all'|'word'|'line'
---@return boolean
function M.accept(part)
  local rest, item = M.visible()
  if not rest or not item then
    return false
  end
  if vim.fn.pumvisible() == 1 then
    menu.close_then(("require('nightschool.suggestion').accept('%s')"):format(part))
    return true
  end
  local ok, problem = pcall(H.insert, part, rest, item)
  if not ok and tostring(problem):match('E565') then
    -- An <expr> mapping must not change the text itself.
    vim.schedule(function()
      H.insert(part, rest, item)
    end)
  elseif not ok then
    error(problem, 0)
  end
  return true
end

---@param part 'all'|'word'|'line'
---@param rest string
---@param item nightschool.Item
function H.insert(part, rest, item)
  local taken = part == 'all' and rest or text[part](rest)
  text.insert(text.cursor(), taken)
  if taken == rest then
    H.take_away()
    H.tell('workspace/executeCommand', item.raw.command)
  else
    local length = vim.fn.strchars(item.text) - vim.fn.strchars(rest) + vim.fn.strchars(taken)
    H.redraw()
    H.tell('textDocument/didPartiallyAcceptCompletion', { item = item.raw, acceptedLength = length })
  end
end

--- Take away what is on display and say that it was not wanted.
---@return boolean
function M.dismiss()
  if not M.visible() then
    return false
  end
  local ids = vim.tbl_keys(assert(current).seen)
  H.cancel()
  H.take_away()
  H.tell('nightschool/didReject', { offerIds = ids })
  return true
end

--- Tell the server what became of an item, if it is still there.
---@param method string
---@param params table
function H.tell(method, params)
  local buf = vim.api.nvim_get_current_buf()
  local client = require('nightschool.server').client(buf)
  if client and method == 'workspace/executeCommand' then
    client:request(method, { command = params.command, arguments = params.arguments }, function() end, buf)
  elseif client then
    client:notify(method, params)
  end
end

--- Show another candidate, asking for some at the first call.
---@param step 1|-1
---@return boolean
function M.cycle(step)
  local rest = M.visible()
  if not rest then
    return false
  end
  local shown = assert(current)
  if shown.by_hand then
    shown.index = (shown.index - 1 + step) % #shown.items + 1
    H.redraw()
    return true
  end
  return H.by_hand(function(items)
    local index = 1
    for number, item in ipairs(items) do
      index = item.text == rest and (number - 1 + step) % #items + 1 or index
    end
    H.show(shown.buf, items, index, true)
  end)
end

--- Ask for candidates here and now.
---@return boolean
function M.request()
  local buf = vim.api.nvim_get_current_buf()
  return H.by_hand(function(items)
    H.show(buf, items, 1, true)
  end)
end

---@param then_ fun(items: nightschool.Item[])
---@return boolean
function H.by_hand(then_)
  local buf = vim.api.nvim_get_current_buf()
  local client = require('nightschool.server').client(buf)
  if not client or not H.inserting() or vim.b[buf].nightschool_enabled == false then
    return false
  end
  H.ask(client, buf, INVOKED, H.here(buf), then_)
  return true
end

return M
