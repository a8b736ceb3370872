(function() {
	// src/worker.js
	addEventListener("message", async ({ data: url }) => {
		const notes = await (await fetch(url)).json();
		postMessage(`${notes.length} notes`);
	});
})();
