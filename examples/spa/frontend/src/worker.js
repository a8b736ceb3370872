// In a worker, relative URLs are relative to this script. The page sends it an absolute one.
addEventListener('message', async ({ data: url }) => {
  const response = await fetch(url);
  const notes = await response.json();
  postMessage(`${notes.length} notes`);
});
