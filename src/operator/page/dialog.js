import { byId, make, makeShape, say } from './elements.js';
import { explanationLines } from './explanation.js';
import { askExplanation, requestAction } from './requests.js';
import { scopeWords, standingWords } from './wording.js';

/** The one dialog of the page: details of a scope, and the confirmation of an action. `timeNow` is the server's time; `onDone` gets what to say; `onSignedOut` is called on a 401. */
export function createDialog({ timeNow, onDone, onSignedOut }) {
  const [dialog, title, content, problem, buttons] = ['dialog', 'dialog-title', 'dialog-content', 'dialog-problem', 'dialog-buttons'].map(
    byId,
  );
  /** What is shown now: an answer that comes for something else is not shown. */
  let shown;

  function show(heading, parts, choices) {
    shown = {};
    say(title, heading);
    say(problem, '');
    content.replaceChildren(...parts);
    buttons.replaceChildren(...choices);
    if (!dialog.open) dialog.showModal();
    return shown;
  }

  function button(text, className, onClick) {
    const element = make('button', { type: 'button', class: className }, text);
    element.addEventListener('click', onClick);
    return element;
  }

  const close = () => dialog.close();
  dialog.addEventListener('close', () => {
    shown = undefined;
  });

  function confirm(action) {
    const cancel = button('Cancel', 'plain', close);
    const go = button(action.verb, action.isDangerous ? 'danger' : '', () => perform(action, go, shown));
    show(
      action.title,
      action.sentences.map((sentence) => make('p', {}, sentence)),
      [cancel, go],
    );
    cancel.focus();
  }

  async function perform(action, go, own) {
    // Not `disabled`, which would lose the focus.
    if (go.getAttribute('aria-disabled') === 'true') return;
    go.setAttribute('aria-disabled', 'true');
    say(problem, '');
    try {
      await requestAction(action);
      if (own === shown) close();
      onDone(action.done);
    } catch (error) {
      if (error.isSignedOut) return onSignedOut();
      if (own === shown) say(problem, error.message);
      else onDone(`${action.title} ${error.message}`);
    } finally {
      go.removeAttribute('aria-disabled');
    }
  }

  function details(row, actions) {
    const explanation = make('pre', { tabindex: '0', 'aria-label': 'Explanation' }, 'Asking…');
    const state = make('p', { class: 'state-line' });
    const choices = actions.map((action) => button(action.label, action.isDangerous ? 'plain danger' : 'plain', () => confirm(action)));
    show(
      `Details of ${scopeWords(row.scope)}`,
      [state, explanation, make('p', { class: 'buttons' }, ...choices)],
      [button('Close', '', close)],
    );
    title.focus();
    Object.assign(shown, { key: row.key, state, explanation });
    explain(row);
  }

  async function explain(row) {
    const own = shown;
    own.row = row;
    own.state.setAttribute('data-state', row.state);
    own.state.replaceChildren(makeShape(row.state), make('strong', {}, standingWords(row)));
    try {
      const explanation = await askExplanation(row.scope);
      if (own.row === row) say(own.explanation, explanationLines(explanation, timeNow()).join('\n'));
    } catch (error) {
      if (error.isSignedOut) return onSignedOut();
      if (own.row === row) say(own.explanation, error.message);
    }
  }

  return {
    confirm,
    details,
    /** Explains again what is shown, if it has changed. */
    look(rows) {
      const row = rows.get(shown?.key);
      if (row !== undefined && row !== shown.row) explain(row);
    },
  };
}
