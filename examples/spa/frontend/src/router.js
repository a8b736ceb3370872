// A client-side router. The base of its routes is that of the page.

/** The path of the app with a slash at the end, such as `/api/v1/`. */
const base = new URL('./', document.baseURI).pathname;

/** The path within the app, such as `notes/2`; empty for the home page. */
export function currentRoute() {
  return location.pathname.slice(base.length);
}

/** Calls `show` for the route of the page, and for each route that is opened later. */
export function start(show) {
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href]');
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    const href = link.getAttribute('href');
    if (href.startsWith('#')) {
      // Under `<base>`, the link would open the home page. `location.hash` stays on the page.
      event.preventDefault();
      location.hash = href;
    } else if (isInApp(link) && !('fullLoad' in link.dataset)) {
      event.preventDefault();
      history.pushState(null, '', link.href);
      show(currentRoute());
    }
  });
  addEventListener('popstate', () => show(currentRoute()));
  show(currentRoute());
}

function isInApp(link) {
  return link.origin === location.origin && link.pathname.startsWith(base);
}
