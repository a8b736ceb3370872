// The three ways to a server that are not `fetch` in the page.

export function start() {
  // A page that is left may stay in memory with its connections, and a browser opens only six to a
  // host with HTTP/1.1.
  let connections = [];
  addEventListener('pageshow', () => (connections = [openEvents(), openSocket()]));
  addEventListener('pagehide', () => connections.forEach((connection) => connection.close()));
  startWorker();
}

function openEvents() {
  const events = new EventSource(new URL('api/events', document.baseURI));
  events.addEventListener('message', ({ data }) => show('events', data));
  return events;
}

function openSocket() {
  const url = new URL('api/echo', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  socket.addEventListener('open', () => socket.send('hello'));
  socket.addEventListener('message', ({ data }) => show('socket', data));
  return socket;
}

function startWorker() {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }) => show('worker', data));
  worker.postMessage(new URL('api/notes', document.baseURI).href);
}

function show(id, text) {
  document.getElementById(id).textContent = text;
}
