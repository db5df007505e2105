import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { env, launch, panels, settled, visit } from './harness.ts';

const base = env('CONSOLE_URL');
const broken = env('BROKEN_URL');
const pictures = process.env.SCREENSHOTS;

let browser: Browser;
before(async () => void (browser = await launch()));
after(() => browser.close());

async function picture(page: Page, name: string): Promise<void> {
  if (pictures) {
    await page.screenshot({ path: join(pictures, `console-${name}.png`), animations: 'disabled' });
  }
}

/** The overview of the api, whose requests do the most. */
const overview = '/d/plumbline-service-overview?var-service_name=api&from=now-15m&to=now&refresh=';

/** flameGraph waits until a profile is drawn. Where there is something else instead, it says what. */
async function flameGraph(page: Page): Promise<void> {
  const shown = page.locator('[data-flame], [role="alert"]').first();
  await shown.waitFor();
  assert.match((await shown.getAttribute('data-flame')) ?? '', /^\d+$/, await page.locator('body').innerText());
  await shown.locator('canvas').first().waitFor();
}

describe('from a point to what is behind it', () => {
  test('exemplar, trace, logs, trace again, flame graph', async () => {
    const { page, complaints } = await visit(browser, base + overview);
    await settled(page);
    const dot = page.locator('[data-type="timeseries"] a[data-exemplar]').last();
    const id = await dot.getAttribute('data-exemplar');
    await dot.click({ force: true });
    await page.waitForURL(`**/trace/${id}`);
    const spans = page.locator('button[data-span]');
    await spans.first().waitFor();
    assert.ok((await spans.count()) >= 2, 'a trace of the api has spans of two services');
    await spans.first().click();
    await page.getByRole('heading', { name: 'Attributes' }).waitFor();

    await page.getByRole('link', { name: 'Logs of this trace' }).click();
    await page.waitForURL('**/logs?**');
    const lines = page.locator('[data-lines]');
    await lines.waitFor();
    assert.ok(Number(await lines.getAttribute('data-lines')) > 0, 'the trace has log lines');
    await page.locator('[data-lines] button').first().click();
    await page.getByRole('link', { name: 'Open the trace' }).click();
    await page.waitForURL(`**/trace/${id}**`);

    await spans.first().waitFor();
    const flame = page.getByRole('link', { name: 'Flame graph of this span' });
    for (let i = 0; i < (await spans.count()) && (await flame.count()) === 0; i++) {
      if ((await spans.nth(i).getAttribute('aria-expanded')) === 'false') {
        await spans.nth(i).click();
      }
    }
    await flame.click();
    await page.waitForURL('**/profiles?**span=**');
    await page.locator('[data-flame]').waitFor(); // a span that only waited has no samples, and the page says so
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test('a span that computed has a flame graph of its own', async () => {
    const { page, complaints } = await visit(browser, `${base}/trace/${env('COMPUTED_TRACE')}?span=${env('COMPUTED_SPAN')}`);
    await page.locator('[aria-expanded="true"][data-span]').waitFor();
    await picture(page, 'trace');
    await page.getByRole('link', { name: 'Flame graph of this span' }).click();
    const graph = page.locator('[data-flame]:not([data-flame="empty"])');
    await graph.waitFor();
    await graph.locator('canvas').first().waitFor();
    await page.waitForLoadState('networkidle');
    await picture(page, 'span-flame-graph');
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test('two halves of a time range are compared', async () => {
    const { page, complaints } = await visit(browser, `${base}/profiles?from=now-5m&to=now`);
    await flameGraph(page);
    await picture(page, 'profiles');
    await page.getByRole('switch', { name: 'Compare two profiles' }).click({ force: true });
    await page.getByText('Left, the baseline').waitFor();
    await flameGraph(page);
    await picture(page, 'profiles-compared');
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test('a comparison whose baseline has no samples says so, and draws the other side', async () => {
    const { page, complaints } = await visit(browser, `${base}/profiles?from=now-24h&to=now&diff=1`);
    await page.getByText('The left side, the baseline, has no sample').waitFor();
    await flameGraph(page);
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test('traces are found by service and opened', async () => {
    const { page, complaints } = await visit(browser, `${base}/traces`);
    const found = page.locator('[data-traces]');
    await found.waitFor();
    await picture(page, 'traces');
    await found.locator('a').first().click();
    await page.locator('button[data-span]').first().waitFor();
    assert.deepEqual(complaints, []);
    await page.context().close();
  });

  test('a trace that is not there is said to be so', async () => {
    const { page } = await visit(browser, `${base}/trace/0af7651916cd43dd8448eb211c80319c`);
    await page.getByText(/Jaeger.*(no trace|not found)/i).waitFor();
    await page.context().close();
  });
});

describe('choices', () => {
  test('a variable asks its panels anew and is kept in the address', async () => {
    const { page } = await visit(browser, base + overview);
    await settled(page);
    const asked = page.waitForRequest((r) => r.url().includes('/prometheus/') && decodeURIComponent(r.postData() ?? '').includes('service_name="gateway"'));
    await page.getByRole('combobox', { name: 'Service' }).click();
    await page.getByRole('option', { name: 'gateway' }).click();
    await asked;
    await settled(page);
    assert.equal(new URL(page.url()).searchParams.get('var-service_name'), 'gateway');
    await page.goBack();
    await settled(page);
    assert.equal(new URL(page.url()).searchParams.get('var-service_name'), 'api');
    await page.context().close();
  });

  test('a route in the table leads to the dashboard of it alone', async () => {
    const { page } = await visit(browser, base + overview);
    await settled(page);
    await page.locator('[data-type="table"] a[href]').first().click();
    await page.waitForURL('**var-http_route=**');
    await settled(page);
    const query = new URL(page.url()).searchParams;
    assert.ok(query.get('var-http_route')?.startsWith('/'), `the route is ${query.get('var-http_route')}`);
    assert.equal(query.get('var-service_name'), 'api');
    await page.context().close();
  });

  test('colours can be changed and are remembered', async () => {
    const { page } = await visit(browser, base, { theme: 'dark' });
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.getByRole('button', { name: 'Light colours' }).click();
    const light = await background();
    assert.notEqual(light, dark);
    await page.reload();
    await page.getByRole('button', { name: 'Dark colours' }).waitFor();
    assert.equal(await background(), light);
    await page.context().close();
  });
});

describe('without a mouse', () => {
  test('everything that acts is reached by Tab, and a slow request by Enter', async () => {
    const { page } = await visit(browser, base + overview);
    await settled(page);
    const reached = new Set<string>();
    for (let i = 0; i < 120; i++) {
      await page.keyboard.press('Tab');
      const name = await page.evaluate(() => {
        const e = document.activeElement as HTMLElement | null;
        const label = e?.id ? document.querySelector(`label[for="${CSS.escape(e.id)}"]`)?.textContent : undefined;
        return (e?.getAttribute('aria-label') || label || e?.textContent || e?.tagName || '').trim();
      });
      reached.add(name);
    }
    const all = [...reached].join(' | ');
    for (const want of ['Skip to the view', 'Dashboards', 'Traces', 'Logs', 'Profiles', 'Service', 'Route', 'Refresh', 'Over the whole time range', 'single requests']) {
      assert.ok(all.includes(want), `Tab never reaches "${want}", but ${all}`);
    }
    const list = page.getByRole('button', { name: 'Duration over time: single requests' });
    await list.focus();
    await page.keyboard.press('Enter');
    const first = page.getByRole('dialog').getByRole('link').first();
    await first.focus();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/trace/**');
    const rows = page.locator('button[data-span]');
    await rows.first().focus();
    await page.keyboard.press('ArrowDown');
    assert.equal(await rows.nth(1).evaluate((e) => e === document.activeElement), true, 'the arrow goes to the next span');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Attributes' }).waitFor();
    await page.context().close();
  });
});

describe('a store that is dead', () => {
  test('is named in its own panels, and nothing else breaks', async () => {
    const { page, complaints } = await visit(browser, broken + overview);
    await settled(page);
    const all = await panels(page);
    const logs = all.filter((p) => p.type === 'logs');
    assert.ok(logs.length > 0);
    for (const p of logs) {
      assert.equal(p.state, 'error');
      assert.match(p.text, /Loki: it is not running/);
    }
    assert.deepEqual(all.filter((p) => p.type !== 'logs' && p.state === 'error').map((p) => p.title), []);
    assert.ok(all.filter((p) => p.state === 'drawn').length > all.length / 2);
    // The browser itself reports the refused query; nothing else may be reported.
    assert.deepEqual(complaints.filter((c) => !/status of 502/.test(c)), []);
    await page.goto(`${broken}/logs`);
    await page.getByText('Loki: it is not running').waitFor();
    await page.context().close();
  });
});
