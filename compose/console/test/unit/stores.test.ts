import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTags } from '../../src/api/jaeger.ts';
import { FieldType } from '@grafana/data';
import { isMetric } from '../../src/api/loki.ts';
import { number, thin, type Exemplar } from '../../src/api/prometheus.ts';
import { frameOf } from '../../src/api/pyroscope.ts';
import { panelKinds } from '../../src/panels/kinds.ts';
import { Turns } from '../../src/api/stores.ts';
import { tree } from '../../src/views/tree.ts';

test('queries that run together are bounded, and those that wait come in order', async () => {
  const turns = new Turns(2);
  const finish: Array<() => void> = [];
  const began: number[] = [];
  const all = [0, 1, 2, 3, 4].map((i) => turns.run(() => { began.push(i); return new Promise<void>((resolve) => finish.push(resolve)); }));
  const next = async () => { finish.shift()!(); await new Promise((resolve) => setImmediate(resolve)); };
  assert.deepEqual(began, [0, 1]);
  await next();
  assert.deepEqual(began, [0, 1, 2]);
  await next();
  await next();
  await next();
  await next();
  await Promise.all(all);
  assert.deepEqual([began, turns.peak], [[0, 1, 2, 3, 4], 2]);
});

test('a query that nobody waits for any more does not run, and hands its turn on', async () => {
  const turns = new Turns(1);
  const gone = AbortSignal.abort();
  await assert.rejects(turns.run(async () => assert.fail('it ran'), gone));
  assert.equal(await turns.run(async () => 7), 7);
});

test('of each stretch the slowest and one from the middle are kept', () => {
  const at = (time: number, value: number): Exemplar => ({ time, value, labels: { id: `${time}-${value}` }, series: {} });
  const all = [at(0, 5), at(1, 1), at(2, 3), at(3, 4), at(4, 2), at(12, 9), at(12, 9)];
  assert.deepEqual(thin(all, 10).map((e) => e.value), [5, 3, 9]);
});

test('levels of a flame graph become nested sets', () => {
  // root 10 = a 6 (of it c 2, d 3, self 1) + b 4, where c begins one further right.
  const levels = [{ values: [0, 10, 0, 0] }, { values: [0, 6, 1, 1, 0, 4, 4, 2] }, { values: [1, 2, 2, 3, 0, 3, 3, 4] }];
  const frame = frameOf({ names: ['root', 'a', 'b', 'c', 'd'], levels: levels.map((l) => ({ values: l.values.map(String) })) }, 'ns', false);
  const column = (name: string) => frame.fields.find((f) => f.name === name)!.values;
  assert.deepEqual(column('label'), ['root', 'a', 'c', 'd', 'b']);
  assert.deepEqual(column('level'), [0, 1, 2, 2, 1]);
  assert.deepEqual(column('value'), [10, 6, 2, 3, 4]);
  assert.deepEqual(column('self'), [0, 1, 2, 3, 4]);
});

test('a flame graph of two has values on both sides, and children that only the second has', () => {
  const levels = [{ values: [0, 4, 0, 0, 6, 0, 0] }, { values: [0, 4, 4, 0, 2, 2, 1, 0, 0, 0, 0, 4, 4, 2] }];
  const frame = frameOf({ names: ['root', 'old', 'new'], levels }, 'ns', true);
  const column = (name: string) => frame.fields.find((f) => f.name === name)!.values;
  assert.deepEqual(column('label'), ['root', 'old', 'new']);
  assert.deepEqual(column('value'), [4, 4, 0]);
  assert.deepEqual(column('valueRight'), [6, 2, 4]);
});

test('a flame graph of two is empty only when neither side has samples', () => {
  const empty = (root: number[]) => {
    const flame = frameOf({ names: ['root'], levels: [{ values: root }] }, 'ns', true);
    return panelKinds.flamegraph.empty({ flame, frames: [], shown: [], exemplars: [], lines: [], traces: [] } as never);
  };
  assert.equal(empty([0, 0, 0, 0, 6, 6, 0]), false, 'no baseline');
  assert.equal(empty([0, 6, 6, 0, 0, 0, 0]), false, 'a baseline alone');
  assert.equal(empty([0, 0, 0, 0, 0, 0, 0]), true, 'neither');
});

test('a chart of one number against another is empty where one of them is missing', () => {
  const column = (name: string, type: FieldType) => ({ name, type, config: {}, values: [1] });
  const empty = (...fields: Array<ReturnType<typeof column>>) =>
    panelKinds.xychart.empty({ frames: [], shown: [{ length: 1, fields }], exemplars: [], lines: [], traces: [] } as never);
  const time = column('Time', FieldType.time);
  assert.equal(empty(time, column('measured', FieldType.number)), true, 'one number');
  assert.equal(empty(time, column('share', FieldType.number), column('measured', FieldType.number)), false, 'two numbers');
});

test('spans stand below the one that called them; a parent that is not stored hides nobody', () => {
  const span = (id: string, parent?: string) => ({ id, parent, name: id, service: 's', start: 0, duration: 1, tags: [], process: [], events: [], links: [], warnings: [] });
  const nodes = tree({ id: 't', spans: [span('a'), span('b', 'a'), span('c', 'b'), span('d', 'a'), span('e', 'gone'), span('f', 'f')] });
  assert.deepEqual(nodes.map((n) => `${n.span.id}${n.depth}${n.children}`), ['a02', 'b11', 'c20', 'd10', 'e00', 'f00']);
});

test('small parts of queries', () => {
  assert.deepEqual(parseTags('http.route=/a error=true msg="a b\\"c"'), { 'http.route': '/a', error: 'true', msg: 'a b"c' });
  assert.deepEqual([number('+Inf'), number('-Inf'), number('1e-3')], [Infinity, -Infinity, 0.001]);
  assert.ok(Number.isNaN(number('NaN')));
  const asks: Array<[string, boolean]> = [['{a="b"} |= "rate("', false], ['sum by (x) (rate({a="b"}[1m]))', true], ['count_over_time({a="b"}[1m])', true]];
  for (const [expr, want] of asks) {
    assert.equal(isMetric(expr), want, expr);
  }
});
