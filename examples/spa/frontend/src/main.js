import './style.css';
import { showAccount } from './account.js';
import * as live from './live.js';
import * as router from './router.js';

async function show(route) {
  const main = document.getElementById('main');
  const [view, id] = route.split('/');
  if (view === '') {
    main.textContent = 'This build works under any prefix.';
  } else if (view === 'notes') {
    const { showNote, showNotes } = await import('./notes.js');
    await (id ? showNote(main, id) : showNotes(main));
  } else if (view === 'account') {
    await showAccount(main);
  } else {
    main.textContent = 'There is no such page.';
  }
}

router.start(show);
live.start();
