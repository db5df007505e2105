import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { declared, env, launch, panels, problem, settled, visit } from './harness.ts';

const console_ = env('CONSOLE_URL');
const fixtures = env('FIXTURES_URL');
const pictures = process.env.SCREENSHOTS;

/** Least is how many panels must have data on the lab's load, where the lab is known to have it. */
const Least: Record<string, number> = { 'plumbline-service-overview': 12, kinds: 16, transformations: 8 };

/** AtOnce is what src/api/stores.ts promises. */
const AtOnce = 6;

let browser: Browser;
before(async () => void (browser = await launch()));
after(() => browser.close());

async function uids(base: string): Promise<string[]> {
  const list = (await (await fetch(`${base}/api/dashboards`)).json()) as Array<{ uid: string; error?: string }>;
  assert.deepEqual(list.filter((b) => b.error), [], 'dashboards that cannot be read');
  return list.map((b) => b.uid);
}

const sets = [
  { name: 'committed', base: console_, uids: await uids(console_) },
  { name: 'fixture', base: fixtures, uids: await uids(fixtures) },
];

for (const set of sets) {
  describe(`every ${set.name} dashboard`, () => {
    assert.ok(set.uids.length > 0, 'there are none');
    for (const uid of set.uids) {
      test(`${uid} draws every panel, or says why it is empty`, async (t) => {
        const { page, complaints, queries } = await visit(browser, `${set.base}/d/${uid}?refresh=`);
        const ready = await settled(page);
        const timing = await page.evaluate(() => ({ paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0 }));
        const json = await declared(set.base, uid);
        const seen = await panels(page);
        assert.deepEqual(seen.map((p) => p.id).sort(), json.map((p) => String(p.id)).sort(), 'panels on the page and in the JSON');
        const wrong = seen.flatMap((p) => problem(p, json.find((d) => String(d.id) === p.id)!) ?? []).map((w, i) => `${i + 1}. ${w}`);
        assert.deepEqual(wrong, [], 'panels');
        // A fixture asks for a trace that there is not, and the browser reports Jaeger's answer.
        const expected = (c: string) => set.base === fixtures && /status of 404/.test(c) && c.includes('/jaeger/api/traces/');
        assert.deepEqual(complaints.filter((c) => !expected(c)), [], 'what the browser complains about');
        assert.ok(queries.peak <= AtOnce, `${queries.peak} queries ran together`);
        const drawn = seen.filter((p) => p.state === 'drawn').length;
        assert.ok(drawn >= (Least[uid] ?? 0), `${drawn} panels have data, want at least ${Least[uid]}`);
        t.diagnostic(`${uid}: ${drawn} of ${seen.length} panels have data, ${queries.total} queries, at most ${queries.peak} together, first paint ${Math.round(timing.paint)} ms, all panels ${ready} ms`);
        await page.context().close();
      });

      for (const width of [1280, 390]) {
        for (const theme of ['dark', 'light'] as const) {
          test(`${uid} fits ${width} px in ${theme} colours`, async () => {
            const { page } = await visit(browser, `${set.base}/d/${uid}?refresh=`, { width, theme, height: width === 390 ? 844 : 900 });
            await settled(page);
            const size = await page.evaluate(() => ({ whole: document.documentElement.scrollWidth, seen: document.documentElement.clientWidth }));
            assert.ok(size.whole <= size.seen, `the page is ${size.whole} px wide`);
            for (const p of await panels(page)) {
              assert.ok(p.width >= Math.min(60, width) && p.right <= size.seen + 1, `panel ${p.title} is ${p.width} px wide and ends at ${p.right}`);
            }
            if (pictures && (width === 1280 || theme === 'dark')) {
              await mkdir(pictures, { recursive: true });
              const name = `console-${uid.replace(/^plumbline-/, '')}${width === 390 ? '-phone' : ''}${theme === 'light' ? '-light' : ''}.png`;
              // Tables leave rows out that are beyond the window.
              await page.setViewportSize({ width, height: await page.evaluate(() => document.documentElement.scrollHeight) });
              await settled(page);
              await page.screenshot({ path: join(pictures, name), animations: 'disabled' });
            }
            await page.context().close();
          });
        }
      }
    }
  });
}
