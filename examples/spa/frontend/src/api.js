/** The JSON at `path`, which is relative to the base of the page. */
export async function request(path) {
  const response = await fetch(path);
  if (!response.ok) {
    throw new Error(`${response.url}: ${response.status}`);
  }
  return response.json();
}
