import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Loading } from "@/components/states";
import { isUnauthorized } from "./client";
import { ErrorNote } from "./error-note";
import { Frame } from "./frame";
import { KeyForm } from "./key-form";
import { interfaceQuery } from "./queries";
import { useKey } from "./session";
import { Workflow } from "./workflow";

export function App() {
  const { data, error, refetch, isFetching } = useQuery(interfaceQuery);
  const queries = useQueryClient();
  const { key, set } = useKey();
  if (isUnauthorized(error)) {
    const enter = (given: string) => {
      set(given);
      void queries.resetQueries();
    };
    return (
      <Frame title="Workflow">
        <KeyForm refused={key !== null} busy={isFetching} onKey={enter} />
      </Frame>
    );
  }
  if (data === undefined) {
    return (
      <Frame title="Workflow">
        <div className="mx-auto w-full max-w-2xl p-4">{error === null ? <Loading /> : <ErrorNote error={error} retry={refetch} />}</div>
      </Frame>
    );
  }
  return (
    <Frame
      title={data.interface.title || data.name}
      version={data.image.version ?? null}
      {...(key === null
        ? {}
        : {
            onForget: () => {
              set(null);
              void queries.resetQueries();
            },
          })}
    >
      <Workflow about={data} />
    </Frame>
  );
}
