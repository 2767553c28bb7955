import { type FormEvent, useState } from "react";
import { problemOf } from "@/api/client";
import { type SignIn, signIn } from "@/api/session";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";

/** What is shown to somebody who is not known: how to become so. */
export function Locked({ signInWith }: { signInWith: SignIn }) {
  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <div className="w-full max-w-sm space-y-5">
        <p className="flex items-center justify-center gap-2 text-base font-semibold">
          <img src="/icon.svg" alt="" className="size-6" />
          pycomfy
        </p>
        <section aria-labelledby="locked" className="rounded-lg border bg-card p-5 shadow-sm">
          <h1 id="locked" className="text-base font-semibold">
            {TITLES[signInWith]}
          </h1>
          {signInWith === "key" ? (
            <KeyForm />
          ) : signInWith === "proxy" ? (
            <p className="mt-1 text-muted-foreground">This server is asked through a proxy that says who you are. Open the proxy's address.</p>
          ) : (
            <p className="mt-1 text-muted-foreground">
              Open the address that <code>pycomfy serve</code> printed: its end is a token, which is new with each start. That
              keeps other pages and other people out.
            </p>
          )}
        </section>
      </div>
    </main>
  );
}

const TITLES: Record<SignIn, string> = { key: "Sign in", proxy: "It is not known who you are", token: "This page needs its token" };

/** Asks for the key that `pycomfy users add` printed. */
export function KeyForm({ done = () => window.location.reload() }: { done?: () => void }) {
  const [key, setKey] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      await signIn(key.trim());
      done();
    } catch (e) {
      setError(problemOf(e).message);
      setBusy(false);
    }
  };

  return (
    <form onSubmit={(event) => void submit(event)} className="mt-3 flex flex-col gap-2.5">
      <label className="-mb-1 text-[0.84rem] font-medium" htmlFor="key">
        Your key
      </label>
      <Input id="key" aria-invalid={error !== ""} type="password" autoComplete="current-password" autoFocus required value={key} onChange={(e) => setKey(e.target.value)} />
      {error !== "" && (
        <p role="alert" className="-mt-1 text-[0.82rem] text-destructive">
          {error}
        </p>
      )}
      <Button type="submit" disabled={busy || key.trim() === ""}>
        Sign in
      </Button>
      <p className="text-[0.82rem] text-muted-foreground">
        Whoever runs this server gives you one, with <code>pycomfy users add</code>.
      </p>
    </form>
  );
}
