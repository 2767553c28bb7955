import { Component, type ReactNode } from "react";
import { LoadError } from "@/components/states";

type Props = { children: ReactNode };

/** Shows an error of a part of the page in its place: such as of code that could not be fetched, because the server is
 * gone, or was started again with another version. Another `key` begins anew. */
export class ErrorBoundary extends Component<Props, { error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <div className="mx-auto w-full max-w-3xl p-4 md:p-6">
        <LoadError error={explain(error)} retry={() => window.location.reload()} action="Load the page again" />
      </div>
    );
  }
}

/** Browsers say it in words of their own, as a `TypeError`: that is an answer that did not come. */
function explain(error: Error): Error {
  return /import|module|fetch/i.test(error.message) ? new TypeError(error.message) : error;
}
