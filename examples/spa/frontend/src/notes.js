// The views of the notes. The script and its style sheet are loaded when they are needed.
import './notes.css';
import { request } from './api.js';

export async function showNotes(main) {
  const notes = await request('api/notes');
  const list = document.createElement('ul');
  list.id = 'notes';
  for (const { id, title } of notes) {
    const link = document.createElement('a');
    // Relative to the base of the page, whatever the route is.
    link.href = `notes/${id}`;
    link.textContent = title;
    list.append(document.createElement('li'));
    list.lastChild.append(link);
  }
  main.replaceChildren(list);
}

export async function showNote(main, id) {
  const { title } = await request(`api/notes/${id}`);
  const heading = document.createElement('h1');
  heading.textContent = title;
  main.replaceChildren(heading);
}
