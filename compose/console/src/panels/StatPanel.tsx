import { DisplayValueAlignmentFactors, FieldType, getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation, type FieldDisplay } from '@grafana/data';
import { PercentChangeColorMode } from '@grafana/schema';
import {
  BigValue, BigValueColorMode, BigValueGraphMode, BigValueJustifyMode, BigValueTextMode, DataLinksContextMenu, useTheme2, VizRepeater,
  type VizRepeaterRenderValueProps,
} from '@grafana/ui';
import type { PanelProps } from './kinds.ts';
import { reduced } from './reduced.ts';

/** StatPanel shows one large number for each series. */
export default function StatPanel({ panel, frames, data, width, height, replace }: PanelProps<'stat'>) {
  const theme = useTheme2();
  const o = panel.options;
  const graph = o.graphMode ?? 'area';
  const values = () =>
    getFieldDisplayValues({
      fieldConfig: panel.fieldConfig, reduceOptions: reduced(o.reduceOptions), replaceVariables: replace, theme, data: frames,
      sparkline: graph !== 'none', percentChange: o.showPercentChange, timeZone: 'browser',
    });
  const text = (count: number) => {
    if (o.textMode === 'name' || o.textMode === 'value' || o.textMode === 'value_and_name' || o.textMode === 'none') {
      return o.textMode as BigValueTextMode;
    }
    return count === 1 ? BigValueTextMode.Value : BigValueTextMode.ValueAndName;
  };
  const one = ({ value, width: w, height: h, count, alignmentFactors }: VizRepeaterRenderValueProps<FieldDisplay, DisplayValueAlignmentFactors>) => {
    const sparkline = value.sparkline && { ...value.sparkline, timeRange: data.range };
    if (sparkline?.y.type === FieldType.boolean) {
      return <></>;
    }
    const big = (onClick?: (e: React.MouseEvent<HTMLElement>) => void, className?: string) => (
      <BigValue
        value={value.display} count={count} sparkline={graph === 'none' ? undefined : sparkline} colorMode={o.colorMode ?? BigValueColorMode.Value}
        graphMode={graph as BigValueGraphMode} justifyMode={o.justifyMode ?? BigValueJustifyMode.Auto} textMode={text(count)} alignmentFactors={alignmentFactors}
        text={o.text} width={w} height={h} theme={theme} disableWideLayout={o.wideLayout === false} onClick={onClick as never} className={className}
        percentChangeColorMode={o.percentChangeColorMode ?? PercentChangeColorMode.Standard}
      />
    );
    return value.hasLinks && value.getLinks ? (
      <DataLinksContextMenu links={value.getLinks}>{({ openMenu, targetClassName }) => big(openMenu as never, targetClassName)}</DataLinksContextMenu>
    ) : (
      big()
    );
  };
  return (
    <VizRepeater
      getValues={values} getAlignmentFactors={getDisplayValueAlignmentFactors} renderValue={one} width={width} height={height} source={frames}
      itemSpacing={3} renderCounter={0} autoGrid orientation={(o.orientation as VizOrientation) ?? VizOrientation.Auto}
    />
  );
}
