// Relative to the base URL of the page, as the links of the page are.
const response = await fetch("app");
const { message, root_path } = await response.json();
document.getElementById("message").textContent = `${message} from "${root_path}"`;
