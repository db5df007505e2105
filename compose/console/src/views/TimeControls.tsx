import { css } from '@emotion/css';
import { dateTime, type TimeRange } from '@grafana/data';
import { RefreshPicker, TimeRangePicker, useStyles2 } from '@grafana/ui';
import { useState } from 'react';
import { change, rangeQuery } from '../app/place.ts';

/** TimeControls choose the time range and how often it is asked anew; both are kept in the address. */
export function TimeControls({ range, refresh, again, loading }: { range: TimeRange; refresh?: string; again: () => void; loading?: boolean }) {
  const styles = useStyles2(getStyles);
  const [zone, setZone] = useState<string>('browser');
  const show = (next: TimeRange) => change({ ...rangeQuery(next) });
  const absolute = (from: number, to: number) => show({ from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } });
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const half = (to - from) / 2;
  return (
    <div className={styles.controls}>
      <TimeRangePicker
        value={range} timeZone={zone} onChange={show} onChangeTimeZone={setZone} isOnCanvas
        onMoveBackward={() => absolute(from - half, to - half)} onMoveForward={() => absolute(from + half, to + half)}
        onZoom={() => absolute(from - half, to + half)}
      />
      <RefreshPicker
        onIntervalChanged={(interval) => change({ refresh: interval })} onRefresh={again} value={refresh} isLoading={loading} isOnCanvas text="Refresh"
        noIntervalPicker={refresh === undefined}
      />
    </div>
  );
}

const getStyles = () => ({
  controls: css({ display: 'flex', flexWrap: 'wrap', gap: 8 }),
});
