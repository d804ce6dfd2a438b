-- The command alone: everything else is loaded when it is used.

if vim.g.loaded_nightschool then
  return
end
vim.g.loaded_nightschool = true

vim.api.nvim_create_user_command('Nightschool', function(command)
  require('nightschool.commands').run(command.fargs)
end, {
  nargs = '*',
  desc = 'Nightschool: train, status, stats, report, rollback, toggle, snooze, log, restart',
  complete = function(lead, line)
    return require('nightschool.commands').complete(lead, line)
  end,
})
