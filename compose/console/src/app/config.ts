import { createContext, useContext } from 'react';
import { fetchJSON } from '../api/stores.ts';

/** Config is what the server tells the page: the stores of this lab, and the agent's own names. */
export interface Config {
  stores: string[];
  exemplarTrace: string;
  logTrace: string;
  logSpan: string;
  profileId: string;
  serviceLabel: string;
  routeTag: string;
}

export const ConfigContext = createContext<Config>({
  stores: [], exemplarTrace: '', logTrace: '', logSpan: '', profileId: '', serviceLabel: '', routeTag: '',
});

export function useConfig(): Config {
  return useContext(ConfigContext);
}

export function loadConfig(): Promise<Config> {
  return fetchJSON<Config>('/api/config');
}
