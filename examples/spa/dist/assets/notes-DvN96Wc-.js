import { t as request } from "./index-CBu_Ed1k.js";
// src/notes.js
async function showNotes(main) {
	const notes = await request("api/notes");
	const list = document.createElement("ul");
	list.id = "notes";
	for (const { id, title } of notes) {
		const link = document.createElement("a");
		link.href = `notes/${id}`;
		link.textContent = title;
		list.append(document.createElement("li"));
		list.lastChild.append(link);
	}
	main.replaceChildren(list);
}
async function showNote(main, id) {
	const { title } = await request(`api/notes/${id}`);
	const heading = document.createElement("h1");
	heading.textContent = title;
	main.replaceChildren(heading);
}
export { showNote, showNotes };
