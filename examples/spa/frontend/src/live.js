// The three ways to a server that are not `fetch` in the page.

export function start() {
  const events = new EventSource(new URL('api/events', document.baseURI));
  events.addEventListener('message', ({ data }) => show('events', data));

  const url = new URL('api/echo', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  socket.addEventListener('open', () => socket.send('hello'));
  socket.addEventListener('message', ({ data }) => show('socket', data));

  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }) => show('worker', data));
  worker.postMessage(new URL('api/notes', document.baseURI).href);
}

function show(id, text) {
  document.getElementById(id).textContent = text;
}
