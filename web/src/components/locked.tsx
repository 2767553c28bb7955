import { KeyRound } from "lucide-react";
import { type FormEvent, useState } from "react";
import { problemOf } from "@/api/client";
import { type SignIn, signIn } from "@/api/session";
import { EmptyState } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";

/** What is shown to somebody who is not known: how to become so. */
export function Locked({ signInWith }: { signInWith: SignIn }) {
  return (
    <main className="grid min-h-dvh place-items-center p-6">
      {signInWith === "key" ? (
        <EmptyState icon={KeyRound} title="Sign in">
          <KeyForm />
        </EmptyState>
      ) : signInWith === "proxy" ? (
        <EmptyState icon={KeyRound} title="It is not known who you are">
          <p>This server is asked through a proxy that says who you are. Open its address.</p>
        </EmptyState>
      ) : (
        <EmptyState icon={KeyRound} title="This page needs its token">
          <p>
            Open the address that <code>pycomfy serve</code> printed: its end is a token, which is new with each start. That
            keeps other pages and other people out.
          </p>
        </EmptyState>
      )}
    </main>
  );
}

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
    <form onSubmit={(event) => void submit(event)} className="mt-3 flex w-80 max-w-full flex-col gap-2 text-left">
      <label className="text-[0.86rem]" htmlFor="key">
        Your key
      </label>
      <Input id="key" type="password" autoComplete="current-password" autoFocus required value={key} onChange={(e) => setKey(e.target.value)} />
      {error !== "" && (
        <p role="alert" className="text-[0.86rem] text-destructive">
          {error}
        </p>
      )}
      <Button type="submit" disabled={busy || key.trim() === ""}>
        Sign in
      </Button>
      <p className="text-[0.82rem] text-muted-foreground">Whoever runs this server gives you one.</p>
    </form>
  );
}
