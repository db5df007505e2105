import { formattedValueToString, getActiveThreshold, ThresholdsMode, type DisplayValue, type FieldConfig, type GrafanaTheme2 } from '@grafana/data';

interface Props {
  value: DisplayValue;
  field: FieldConfig;
  width: number;
  height: number;
  theme: GrafanaTheme2;
  /** Whether the ring around shows where the thresholds are, and their numbers. */
  markers: boolean;
  labels: boolean;
  /** Where the bar begins, if not at the least value. */
  neutral?: number;
  nameSize?: number;
  valueSize?: number;
  showName: boolean;
  format: (value: number) => string;
}

/** The dial is open below: it goes from so many degrees left of the top to as many right of it. */
const reach = 115;

/** Gauge is a dial like Grafana's, which its packages do not publish. */
export function Gauge({ value, field, width, height, theme, markers, labels, neutral, nameSize, valueSize, showName, format }: Props) {
  const min = field.min ?? 0;
  const max = field.max ?? 100;
  const share = (v: number) => Math.min(Math.max((v - min) / (max - min || 1), 0), 1);
  const nameHeight = showName ? (nameSize ?? 14) + 8 : 0;
  // Below its centre the open dial reaches cos(180° - reach) of its radius.
  const below = -Math.cos((reach * Math.PI) / 180);
  const margin = labels ? 18 : 4;
  const radius = Math.max(Math.min(width / 2 - margin, (height - nameHeight - 2 * margin) / (1 + below)), 10);
  const [cx, cy] = [width / 2, margin + radius];
  const thick = radius * 0.22;
  const bar = radius - (markers ? radius * 0.1 : 0) - thick / 2;
  const steps = thresholds(field, min, max);
  const from = neutral === undefined ? 0 : share(neutral);
  const at = Number.isFinite(value.numeric) ? share(value.numeric) : 0;
  const text = formattedValueToString(value);
  const size = valueSize ?? Math.max(Math.min(radius * 0.5, (radius * 2.1) / Math.max(text.length, 3)), 10);
  return (
    <svg width={width} height={height} role="img" aria-label={`${value.title ?? ''} ${text}`}>
      <path d={arc(cx, cy, bar, 0, 1)} fill="none" stroke={theme.colors.background.secondary} strokeWidth={thick} />
      {Math.abs(at - from) > 0.001 && <path d={arc(cx, cy, bar, Math.min(from, at), Math.max(from, at))} fill="none" stroke={value.color} strokeWidth={thick} />}
      {markers &&
        steps.map((s, i) => {
          const [a, b] = [share(s.value), i + 1 < steps.length ? share(steps[i + 1].value) : 1];
          return b > a && <path key={i} d={arc(cx, cy, radius - radius * 0.03, a, b)} fill="none" stroke={theme.visualization.getColorByName(s.color)} strokeWidth={radius * 0.06} />;
        })}
      {labels &&
        steps.slice(1).map((s, i) => {
          const [x, y] = point(cx, cy, radius + 9, share(s.value));
          return (
            <text key={i} x={x} y={y} fontSize={10} textAnchor={x < cx - 4 ? 'end' : x > cx + 4 ? 'start' : 'middle'} fill={theme.colors.text.secondary}>
              {format(s.value)}
            </text>
          );
        })}
      <text x={cx} y={cy + size * 0.35} fontSize={size} fontWeight={500} textAnchor="middle" fill={value.color ?? theme.colors.text.primary}>
        {text}
      </text>
      {showName && (
        <text x={cx} y={Math.min(cy + radius * below + nameHeight, height - 4)} fontSize={nameSize ?? 14} textAnchor="middle" fill={theme.colors.text.primary}>
          {value.title}
        </text>
      )}
    </svg>
  );
}

function thresholds(field: FieldConfig, min: number, max: number): Array<{ value: number; color: string }> {
  const steps = field.thresholds?.steps ?? [];
  const percent = field.thresholds?.mode === ThresholdsMode.Percentage;
  const all = steps.map((s) => ({ color: s.color, value: s.value === null || s.value === -Infinity ? min : percent ? min + ((max - min) * s.value) / 100 : s.value }));
  return all.length > 0 ? all : [{ value: min, color: getActiveThreshold(min, steps)?.color ?? 'green' }];
}

function point(cx: number, cy: number, radius: number, share: number): [number, number] {
  const angle = ((-reach + share * 2 * reach) * Math.PI) / 180;
  return [cx + radius * Math.sin(angle), cy - radius * Math.cos(angle)];
}

/** arc is a path along the dial between two shares of it. */
function arc(cx: number, cy: number, radius: number, from: number, to: number): string {
  const [x1, y1] = point(cx, cy, radius, from);
  const [x2, y2] = point(cx, cy, radius, to);
  return `M ${x1} ${y1} A ${radius} ${radius} 0 ${(to - from) * 2 * reach > 180 ? 1 : 0} 1 ${x2} ${y2}`;
}
