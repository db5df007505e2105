import assert from 'node:assert/strict';
import { chromium, type Browser, type Page } from 'playwright-core';

/** env reads a variable that whoever starts the tests must set. */
export function env(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run these tests by make test-console`);
  return value;
}

/** launch starts the system's Chromium. Its sandbox needs an unprivileged user. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: env('CHROMIUM'), args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

/** Visit is a page that is being tested, and what its browser complained about. */
export interface Visit {
  page: Page;
  complaints: string[];
  /** The most queries to stores that were under way together. */
  queries: { peak: number; total: number };
}

export interface Look {
  width?: number;
  height?: number;
  theme?: 'light' | 'dark';
}

/** visit opens an address in a browser of its own: nothing is cached, as at a first visit. */
export async function visit(browser: Browser, address: string, look: Look = {}): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: look.width ?? 1280, height: look.height ?? 900 }, colorScheme: look.theme ?? 'dark', reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`exception: ${error.stack ?? error.message}`));
  // Reading the pixels of a canvas twice, as panels does, is no fault of the page.
  const ours = (text: string) => text.includes('willReadFrequently');
  page.on('console', (message) => {
    if ((message.type() === 'error' || message.type() === 'warning') && !ours(message.text())) {
      complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
  const queries = { peak: 0, total: 0 };
  let now = 0;
  const isQuery = (url: string) => url.includes('/api/stores/');
  page.on('request', (r) => {
    if (isQuery(r.url())) {
      queries.total++;
      queries.peak = Math.max(queries.peak, ++now);
    }
  });
  const over = (r: { url(): string }) => isQuery(r.url()) && now--;
  page.on('requestfinished', over);
  page.on('requestfailed', over);
  await page.goto(address);
  return { page, complaints, queries };
}

/** settled waits until every panel has its data and the browser has painted it. It returns when that was, in milliseconds since the page was asked for. */
export async function settled(page: Page): Promise<number> {
  const drawn = await page.waitForFunction(() => {
    const panels = [...document.querySelectorAll('[data-panel]')];
    const ready = panels.length > 0 && panels.every((p) => p.getAttribute('data-state') !== 'loading' && p.getAttribute('data-busy') === 'false');
    return ready && Math.round(performance.now());
  }, null, { timeout: 90_000 });
  // Parts of the page that are loaded on demand, then two frames: one to draw, one to be sure.
  await page.waitForLoadState('networkidle');
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  return Number(await drawn.jsonValue());
}

/** Panel is what a panel shows, as far as a test can see it. */
export interface Panel {
  id: string;
  title: string;
  type: string;
  state: string;
  text: string;
  /** Pixels of its canvases that have a colour. Axes and labels are grey with a trace of blue; some series are hardly more than white. */
  colored: number;
  rows: number;
  links: number;
  width: number;
  right: number;
  svg: number;
}

/** panels looks at every panel of a page. */
export function panels(page: Page): Promise<Panel[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('[data-panel]')].map((p) => {
      let colored = 0;
      for (const canvas of p.querySelectorAll('canvas')) {
        if (canvas.width === 0 || canvas.height === 0) {
          continue;
        }
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        for (let i = 0; i < data.length; i += 4) {
          const high = Math.max(data[i], data[i + 1], data[i + 2]);
          const low = Math.min(data[i], data[i + 1], data[i + 2]);
          if (data[i + 3] > 40 && high > 60 && (high - low) / high > 0.1) {
            colored++;
          }
        }
      }
      const box = p.getBoundingClientRect();
      return {
        id: p.dataset.panel!, title: p.dataset.title!, type: p.dataset.type!, state: p.dataset.state!, text: p.innerText, colored,
        rows: p.querySelectorAll('[role="row"], li, tbody tr').length, links: p.querySelectorAll('a[href]').length, svg: p.querySelectorAll('svg path').length,
        width: box.width, right: box.right,
      };
    })
  );
}

interface Declared {
  id: number;
  type: string;
  title?: string;
  fieldConfig?: { defaults?: { noValue?: string } };
  panels?: Declared[];
}

/** declared reads a dashboard's panels from its JSON, as the console serves it. */
export async function declared(base: string, uid: string): Promise<Declared[]> {
  const response = await fetch(`${base}/api/dashboards/${uid}`);
  const dashboard = (await response.json()) as { panels: Declared[] };
  return dashboard.panels.filter((p) => p.type !== 'row');
}

/** problems says what is wrong with a panel: that it draws nothing although it has data, or hides that it has none. */
export function problem(panel: Panel, json: Declared): string | undefined {
  const nothing = json.fieldConfig?.defaults?.noValue || 'No data';
  switch (panel.state) {
    case 'empty':
      return panel.text.includes(nothing) ? undefined : `has no data and does not say "${nothing}" but ${JSON.stringify(panel.text.slice(0, 200))}`;
    case 'drawn':
      return shows(panel) ? undefined : `has data and shows ${JSON.stringify({ ...panel, text: panel.text.slice(0, 200) })}`;
    default:
      return `is ${panel.state}: ${panel.text.slice(0, 300)}`;
  }
}

function shows(p: Panel): boolean {
  switch (p.type) {
    case 'timeseries':
    case 'heatmap':
    case 'xychart':
    case 'state-timeline':
    case 'flamegraph':
      return p.colored > 0; // a lab of two minutes has lines of a few pixels
    case 'stat':
    case 'bargauge':
      return p.text.replace(p.title, '').trim().length > 0;
    case 'gauge':
      return p.svg > 1;
    case 'table':
      return p.rows > 1;
    case 'logs':
      return p.rows > 0;
    case 'traces':
      return p.links > 0;
    case 'text':
      return p.text.trim().length > 0;
    default:
      return false;
  }
}
