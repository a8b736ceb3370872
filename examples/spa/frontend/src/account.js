import { request } from './api.js';

export async function showAccount(main) {
  const { user } = await request('api/account');
  const heading = document.createElement('h1');
  heading.textContent = `You are logged in as ${user}`;
  const form = document.createElement('form');
  form.method = 'post';
  form.action = 'logout';
  const button = document.createElement('button');
  button.textContent = 'Log out';
  form.append(button);
  main.replaceChildren(heading, form);
}
