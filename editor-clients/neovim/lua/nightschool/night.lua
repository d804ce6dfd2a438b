--- A night asked for from the editor: training, and how far it is.

local notify = require('nightschool.notify')
local server = require('nightschool.server')
local status = require('nightschool.status')

local M, H = {}, {}

local TOKEN = 'nightschool-train'

--- Whether one that was asked for here is going on, and whether its end was asked for too.
local is_on, is_cancelled = false, false

vim.api.nvim_create_autocmd('LspProgress', {
  group = vim.api.nvim_create_augroup('nightschool.night', {}),
  callback = function(event)
    local params = event.data.params
    if params.token == TOKEN then
      H.on_progress(params.value)
    end
  end,
})

--- Train now on what was recorded; the editor stays free meanwhile, and the server says what became of it.
function M.train()
  if is_on then
    return notify.info('training goes on; :Nightschool train cancel ends it')
  end
  is_on, is_cancelled = true, false
  status.train('trains')
  server.execute('nightschool.train', {}, M.ended, { token = TOKEN, on_failure = M.ended })
end

--- End the night that goes on, with nothing changed.
function M.cancel()
  if not is_on then
    return notify.info('nothing is being trained')
  end
  local client = server.any_client()
  if client then
    is_cancelled = true
    client:notify('window/workDoneProgress/cancel', { token = TOKEN })
  end
end

--- It is over, or nothing more will be heard of it.
function M.ended()
  is_on = false
  status.train(nil)
end

---@param value { kind: string, message?: string, percentage?: integer }
function H.on_progress(value)
  if value.kind == 'end' then
    -- Neovim keeps the answer to a cancelled request to itself.
    if is_cancelled then
      notify.info(value.message)
    end
    return M.ended()
  end
  local percent = value.percentage and (' %d %%'):format(value.percentage) or ''
  status.train('trains' .. percent .. (value.message and ' (' .. value.message .. ')' or ''))
end

return M
