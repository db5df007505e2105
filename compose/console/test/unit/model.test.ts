import assert from 'node:assert/strict';
import { test } from 'node:test';
import { All, interpolate, type Values } from '../../src/model/interpolate.ts';
import { matching, choose, sorted } from '../../src/model/variables.ts';
import { duration, steps } from '../../src/model/interval.ts';
import { linkURL } from '../../src/model/links.ts';
import { panelRange } from '../../src/model/query.ts';
import { rows, normalise, type Panel } from '../../src/model/dashboard.ts';
import { dateTime, type ScopedVars, type TimeRange } from '@grafana/data';

const values: Values = {
  service: { values: ['api'], options: ['api', 'web'], several: false },
  route: { values: ['/a.b', '/c|d'], options: ['/a.b', '/c|d'], several: true },
  everything: { values: [All], options: ['x', 'y'], several: true, allValue: '.*' },
  each: { values: [All], options: ['x', 'y'], several: true },
  quoted: { values: ['a"b\\c'], options: [], several: false },
};

test('values are put into PromQL as Grafana does', () => {
  const cases: Array<[string, string, string]> = [
    ['a plain name', 'up{s="$service"}', 'up{s="api"}'],
    ['a name in braces', 'up{s="${service}"}', 'up{s="api"}'],
    ['the old form', 'up{s="[[service]]"}', 'up{s="api"}'],
    ['several values, escaped twice for a quoted regular expression', 'up{r=~"$route"}', String.raw`up{r=~"(/a\\.b|/c\\|d)"}`],
    ['All by a text of its own', 'up{r=~"$everything"}', 'up{r=~".*"}'],
    ['All by every value', 'up{r=~"$each"}', 'up{r=~"(x|y)"}'],
    ['a quote in a value', 'up{s="$quoted"}', String.raw`up{s="a\"b\\c"}`],
    ['a name that nobody knows', 'up{s="$nobody"}', 'up{s="$nobody"}'],
    ['a regular expression with a dollar sign', 'up{s=~"a$"}', 'up{s=~"a$"}'],
  ];
  for (const [name, text, want] of cases) {
    assert.equal(interpolate(text, values, {}, 'promql'), want, name);
  }
});

test('formats write values in other ways', () => {
  const cases: Array<[string, string]> = [
    ['${route:csv}', '/a.b,/c|d'],
    ['${route:pipe}', '/a.b|/c|d'],
    ['${route:regex}', String.raw`(\/a\.b|\/c\|d)`],
    ['${route:json}', '["/a.b","/c|d"]'],
    ['${route:queryparam}', 'var-route=%2Fa.b&var-route=%2Fc%7Cd'],
    ['${everything:queryparam}', 'var-everything=%24__all'],
    ['${service:percentencode}', 'api'],
    ['${route}', '{/a.b,/c|d}'],
  ];
  for (const [text, want] of cases) {
    assert.equal(interpolate(text, values), want, text);
  }
});

test('a data link is about one cell', () => {
  const display = (v: unknown) => ({ text: `${v} s`, numeric: Number(v) });
  const field = { name: 'P99', labels: { route: '/a b' }, values: [1, 2], display, state: { displayName: 'P99' } };
  const frame = { fields: [{ name: 'Time', values: [10, 20] }, { name: 'Route', values: ['/x', '/y'] }, field] };
  const scoped = { __dataContext: { text: '', value: { frame, field, rowIndex: 1 } } } as unknown as ScopedVars;
  const cases: Array<[string, string]> = [
    ['${__value.raw}', '2'],
    ['${__value.text}', '2 s'],
    ['${__value.time}', '20'],
    ['${__value.raw:percentencode}', '2'],
    ['${__field.name}', 'P99'],
    ['${__field.labels.route}', '/a b'],
    ['${__field.labels.route:percentencode}', '%2Fa%20b'],
    ['${__data.fields.Route}', '/y'],
    ['${__data.fields["Route"]}', '/y'],
  ];
  for (const [text, want] of cases) {
    assert.equal(interpolate(text, {}, scoped), want, text);
  }
});

test('intervals are those of Grafana', () => {
  const range = (hours: number): TimeRange => {
    const to = dateTime(1_700_000_000_000);
    const from = dateTime(to.valueOf() - hours * 3_600_000);
    return { from, to, raw: { from, to } };
  };
  const cases: Array<[string, number, number, string | undefined, string, string]> = [
    ['an hour in 600 points', 1, 600, undefined, '5s', '20s'],
    ['an hour in 1200 points is no finer than the scrapes', 1, 1200, undefined, '5s', '20s'],
    ['six hours', 6, 600, undefined, '30s', '35s'],
    ['a panel with a minimum', 1, 600, '1m', '60s', '65s'],
  ];
  for (const [name, hours, points, minimum, interval, rate] of cases) {
    const got = steps(range(hours), points, minimum);
    assert.deepEqual([duration(got.interval), duration(got.rate)], [interval, rate], name);
  }
});

test('variables take what the address asks, else what the dashboard says, else the first', () => {
  const variable = { type: 'query', name: 'v', multi: true, includeAll: true, current: { value: ['$__all'] } };
  assert.deepEqual(choose(variable, ['a', 'b'], []).values, [All]);
  assert.deepEqual(choose(variable, ['a', 'b'], ['b']).values, ['b']);
  assert.deepEqual(choose(variable, ['a', 'b'], ['b', All]).values, [All]);
  assert.deepEqual(choose({ type: 'query', name: 'v' }, ['a', 'b'], []).values, ['a']);
  assert.deepEqual(choose({ type: 'query', name: 'v', current: { value: 'gone' } }, ['a', 'b'], []).values, ['a']);
  assert.deepEqual(choose({ type: 'query', name: 'v' }, [], []).values, []);
});

test('values are filtered and sorted', () => {
  assert.deepEqual(matching(['db-1', 'db-2', 'web'], '/^db-(.*)$/'), ['1', '2']);
  assert.deepEqual(matching(['a', 'b'], ''), ['a', 'b']);
  assert.deepEqual(sorted(['b', 'A', 'c'], 5), ['A', 'b', 'c']);
  assert.deepEqual(sorted(['b', 'A', 'c'], 6), ['c', 'b', 'A']);
  assert.deepEqual(sorted(['n10', 'n9'], 3), ['n9', 'n10']);
});

test('panels belong to the row above them', () => {
  const gridPos = { x: 0, y: 0, w: 1, h: 1 };
  const panel = (id: number, type: string, title = '') => ({ id, type, title, gridPos });
  const dashboard = normalise({ uid: 'x', panels: [panel(1, 'stat'), panel(2, 'row', 'Second'), panel(3, 'stat'), panel(4, 'stat')] as never });
  assert.deepEqual(rows(dashboard).map((r) => [r.title, r.panels.map((p) => p.id)]), [['', [1]], ['Second', [3, 4]]]);
});

test('a link of a panel carries the time and every choice on', () => {
  assert.equal(
    linkURL('/d/other?${__url_time_range}&${__all_variables}&only=$service', values, { from: 'now-1h', to: 'now' }),
    '/d/other?from=now-1h&to=now&var-service=api&var-route=%2Fa.b&var-route=%2Fc%7Cd&var-everything=%24__all&var-each=%24__all&var-quoted=a%22b%5Cc&only=api'
  );
});

test('a panel may be about an earlier time', () => {
  const at = (ms: number) => dateTime(ms);
  const range: TimeRange = { from: at(7_200_000), to: at(9_000_000), raw: { from: 'now-30m', to: 'now' } };
  const earlier: Values = { earlier: { values: ['1h'], options: ['1h'], several: false } };
  const shifted = panelRange({ timeShift: '$earlier' } as Panel, range, earlier);
  assert.deepEqual([shifted.from.valueOf(), shifted.to.valueOf()], [3_600_000, 5_400_000]);
  assert.equal(panelRange({} as Panel, range, earlier), range);
});
