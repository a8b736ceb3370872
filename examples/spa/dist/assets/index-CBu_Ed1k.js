const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=["./notes-DvN96Wc-.js","./notes-BM2yq8nL.css"])))=>i.map(i=>d[i]);
// \0vite/modulepreload-polyfill.js
(function polyfill() {
	const relList = document.createElement("link").relList;
	if (relList && relList.supports && relList.supports("modulepreload")) return;
	for (const link of document.querySelectorAll("link[rel=\"modulepreload\"]")) processPreload(link);
	new MutationObserver((mutations) => {
		for (const mutation of mutations) {
			if (mutation.type !== "childList") continue;
			for (const node of mutation.addedNodes) if (node.tagName === "LINK" && node.rel === "modulepreload") processPreload(node);
		}
	}).observe(document, {
		childList: true,
		subtree: true
	});
	function getFetchOpts(link) {
		const fetchOpts = {};
		if (link.integrity) fetchOpts.integrity = link.integrity;
		if (link.referrerPolicy) fetchOpts.referrerPolicy = link.referrerPolicy;
		if (link.crossOrigin === "use-credentials") fetchOpts.credentials = "include";
		else if (link.crossOrigin === "anonymous") fetchOpts.credentials = "omit";
		else fetchOpts.credentials = "same-origin";
		return fetchOpts;
	}
	function processPreload(link) {
		if (link.ep) return;
		link.ep = true;
		const fetchOpts = getFetchOpts(link);
		fetch(link.href, fetchOpts);
	}
})();
// src/api.js
/** The JSON at `path`, which is relative to the base of the page. */
async function request(path) {
	const response = await fetch(path);
	if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
	return response.json();
}
// src/account.js
async function showAccount(main) {
	const { user } = await request("api/account");
	const heading = document.createElement("h1");
	heading.textContent = `You are logged in as ${user}`;
	const form = document.createElement("form");
	form.method = "post";
	form.action = "logout";
	const button = document.createElement("button");
	button.textContent = "Log out";
	form.append(button);
	main.replaceChildren(heading, form);
}
// src/live.js
function start$1() {
	let connections = [];
	addEventListener("pageshow", () => connections = [openEvents(), openSocket()]);
	addEventListener("pagehide", () => connections.forEach((connection) => connection.close()));
	startWorker();
}
function openEvents() {
	const events = new EventSource(new URL("api/events", document.baseURI));
	events.addEventListener("message", ({ data }) => show$1("events", data));
	return events;
}
function openSocket() {
	const url = new URL("api/echo", document.baseURI);
	url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
	const socket = new WebSocket(url);
	socket.addEventListener("open", () => socket.send("hello"));
	socket.addEventListener("message", ({ data }) => show$1("socket", data));
	return socket;
}
function startWorker() {
	const worker = new Worker(new URL(
		/* @vite-ignore */
		new URL("worker-ASJ65c6z.js", import.meta.url).href,
		"" + import.meta.url
	), { type: "module" });
	worker.addEventListener("message", ({ data }) => show$1("worker", data));
	worker.postMessage(new URL("api/notes", document.baseURI).href);
}
function show$1(id, text) {
	document.getElementById(id).textContent = text;
}
// src/router.js
/** The path of the app with a slash at the end, such as `/api/v1/`. */
var base = new URL("./", document.baseURI).pathname;
/** The path within the app, such as `notes/2`; empty for the home page. */
function currentRoute() {
	return location.pathname.slice(base.length);
}
/** Calls `show` for the route of the page, and for each route that is opened later. */
function start(show) {
	document.addEventListener("click", (event) => {
		const link = event.target.closest("a[href]");
		if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
		const href = link.getAttribute("href");
		if (href.startsWith("#")) {
			event.preventDefault();
			location.hash = href;
		} else if (isInApp(link) && !("fullLoad" in link.dataset)) {
			event.preventDefault();
			history.pushState(null, "", link.href);
			show(currentRoute());
		}
	});
	addEventListener("popstate", () => show(currentRoute()));
	show(currentRoute());
}
function isInApp(link) {
	return link.origin === location.origin && link.pathname.startsWith(base);
}
// \0vite/preload-helper.js
var scriptRel = "modulepreload";
var assetsURL = function(dep, importerUrl) {
	return new URL(dep, importerUrl).href;
};
var seen = {};
var isCssPreloadUrl = function isCssPreloadUrl(url) {
	return url.pathname.endsWith(".css");
};
var preloadOnce = function preloadOnce(seen, href, preload) {
	if (href in seen) return seen[href];
	const promise = preload();
	if (!promise) {
		seen[href] = void 0;
		return;
	}
	const preloadPromise = promise.then(() => {
		seen[href] = void 0;
	}, (err) => {
		seen[href] = void 0;
		throw err;
	});
	seen[href] = preloadPromise;
	return preloadPromise;
};
var __vitePreload = function preload(baseModule, deps, importerUrl) {
	let promise = Promise.resolve();
	if (deps && deps.length > 0) {
		let preloadedHrefs;
		const cspNonceMeta = document.querySelector("meta[property=csp-nonce]");
		const cspNonce = cspNonceMeta?.nonce || cspNonceMeta?.getAttribute("nonce");
		function allSettled(promises) {
			return Promise.all(promises.map((p) => Promise.resolve(p).then((value) => ({
				status: "fulfilled",
				value
			}), (reason) => ({
				status: "rejected",
				reason
			}))));
		}
		function importMetaResolve(specifier) {
			if (import.meta.resolve) return new URL(import.meta.resolve(specifier));
			return new URL(
				specifier,
				/** #__KEEP__ */
				import.meta.url
			);
		}
		promise = allSettled(deps.map((depString) => {
			depString = assetsURL(depString, importerUrl);
			const dep = importMetaResolve(depString);
			const isCss = isCssPreloadUrl(dep);
			return preloadOnce(seen, dep.href, () => {
				if (preloadedHrefs === void 0) {
					preloadedHrefs = {
						all: /* @__PURE__ */ new Set(),
						styles: /* @__PURE__ */ new Set()
					};
					const links = document.getElementsByTagName("link");
					for (let i = links.length - 1; i >= 0; i--) {
						const link = links[i];
						preloadedHrefs.all.add(link.href);
						if (link.rel === "stylesheet") preloadedHrefs.styles.add(link.href);
					}
				}
				if ((isCss ? preloadedHrefs.styles : preloadedHrefs.all).has(dep.href)) return;
				const link = document.createElement("link");
				link.rel = isCss ? "stylesheet" : scriptRel;
				if (!isCss) link.as = "script";
				link.crossOrigin = "";
				link.href = dep.href;
				if (cspNonce) link.setAttribute("nonce", cspNonce);
				document.head.appendChild(link);
				if (isCss) return new Promise((res, rej) => {
					const handleSettle = (e) => {
						link.removeEventListener("load", handleSettle);
						link.removeEventListener("error", handleSettle);
						if (e.type === "error") rej(/* @__PURE__ */ new Error(`Unable to preload CSS for ${dep}`));
						else res(e);
					};
					link.addEventListener("load", handleSettle);
					link.addEventListener("error", handleSettle);
				});
			});
		}).filter((p) => p !== void 0));
	}
	function handlePreloadError(err) {
		const e = new Event("vite:preloadError", { cancelable: true });
		e.payload = err;
		window.dispatchEvent(e);
		if (!e.defaultPrevented) throw err;
	}
	return promise.then((res) => {
		for (const item of res || []) {
			if (item.status !== "rejected") continue;
			handlePreloadError(item.reason);
		}
		return baseModule().catch(handlePreloadError);
	});
};
// src/main.js
async function show(route) {
	const main = document.getElementById("main");
	const [view, id] = route.split("/");
	if (view === "") main.textContent = "This build works under any prefix.";
	else if (view === "notes") {
		const { showNote, showNotes } = await __vitePreload(async () => {
			const { showNote, showNotes } = await import("./notes-DvN96Wc-.js");
			return {
				showNote,
				showNotes
			};
		}, __vite__mapDeps([0,1]), import.meta.url);
		await (id ? showNote(main, id) : showNotes(main));
	} else if (view === "account") await showAccount(main);
	else main.textContent = "There is no such page.";
}
start(show);
start$1();
export { request as t };
