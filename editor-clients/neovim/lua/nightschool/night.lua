--- A night asked for from the editor: training, its progress and its verdict, and the way back.

local notify = require('nightschool.notify')
local server = require('nightschool.server')
local status = require('nightschool.status')

local M, H = {}, {}

local TOKEN = 'nightschool-train'

--- Whether one that was asked for here is going on.
local is_on = false

vim.api.nvim_create_autocmd('LspProgress', {
  group = vim.api.nvim_create_augroup('nightschool.night', {}),
  callback = function(event)
    local params = event.data.params
    if params.token == TOKEN then
      H.on_progress(params.value)
    end
  end,
})

--- Train now on what was recorded; the editor stays free meanwhile.
function M.train()
  if is_on then
    return notify.info('training goes on; :Nightschool train cancel ends it')
  end
  is_on = true
  status.train('trains')
  server.execute('nightschool.train', {}, function(result)
    H.ended()
    notify.info(H.verdict(result))
  end, { token = TOKEN, on_failure = H.ended })
end

--- End the night that goes on, with nothing changed.
function M.cancel()
  if not is_on then
    return notify.info('nothing is being trained')
  end
  local client = server.any_client()
  if client then
    client:notify('window/workDoneProgress/cancel', { token = TOKEN })
  end
end

--- Have the adapter from before the last promotion serve again.
function M.rollback()
  server.execute('nightschool.rollback', {}, function(result)
    local adapter = type(result) == 'table' and result.adapter
    notify.info(type(adapter) == 'string' and 'adapter ' .. adapter .. ' serves now' or 'no adapter serves now')
  end)
end

function H.ended()
  is_on = false
  status.train(nil)
end

---@param value { kind: string, message?: string, percentage?: integer }
function H.on_progress(value)
  if value.kind == 'end' then
    return
  end
  local percent = value.percentage and (' %d %%'):format(value.percentage) or ''
  status.train('trains' .. percent .. (value.message and ' (' .. value.message .. ')' or ''))
end

---@param result { verdict: string, adapter?: string, reasons?: string[], seconds?: number, examples?: integer }
---@return string
function H.verdict(result)
  local reasons = type(result.reasons) == 'table' and table.concat(result.reasons, '; ') or ''
  local verdicts = {
    promoted = ('a new adapter serves now: %s'):format(result.adapter),
    refused = 'the new adapter was refused',
    nothing = 'there was nothing to learn',
  }
  return (verdicts[result.verdict] or tostring(result.verdict)) .. (reasons ~= '' and ' (' .. reasons .. ')' or '')
end

return M
