// What one line of the program became is shown in all columns: a click picks it, a second click lets go.
document.addEventListener('click', e => {
  const row = e.target.closest('[data-line]')
  if (!row) return
  const was = row.classList.contains('picked')
  document.querySelectorAll('.picked').forEach(r => r.classList.remove('picked'))
  if (was) return
  document.querySelectorAll('[data-line]').forEach(r => { if (r.dataset.line === row.dataset.line) r.classList.add('picked') })
  document.querySelectorAll('.pass').forEach(p => {
    const first = p.querySelector('.picked')
    if (first && p !== row.closest('.pass')) p.scrollTop = first.offsetTop - p.offsetTop - 90
  })
})
// A column begins with what its pass made.
document.querySelectorAll('.pass').forEach(p => {
  const first = p.querySelector('.new')
  if (first) p.scrollTop = Math.max(0, first.offsetTop - p.offsetTop - 110)
})
