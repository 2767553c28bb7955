import { KeyRound } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";

type Props = { refused: boolean; busy: boolean; onKey: (key: string) => void };

/** Asks for the key of the API. */
export function KeyForm({ refused, busy, onKey }: Props) {
  const [key, setKey] = useState("");
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim() !== "") onKey(key.trim());
  };
  return (
    <form onSubmit={submit} className="mx-auto mt-[12dvh] w-full max-w-sm space-y-3 p-4">
      <KeyRound className="size-7 text-muted-foreground" strokeWidth={1.5} />
      <h2 className="text-base font-semibold">This workflow needs a key</h2>
      <p className="text-muted-foreground">Whoever serves it has given out keys. This tab keeps yours until it is closed.</p>
      <div>
        <label htmlFor={id} className="mb-1 block text-[0.84rem] font-medium">
          Key
        </label>
        <Input id={id} type="password" autoComplete="off" autoFocus value={key} aria-invalid={refused || undefined} aria-describedby={`${id}-refused`} onChange={(e) => setKey(e.target.value)} />
        <p id={`${id}-refused`} role="status" className="mt-1 min-h-5 text-[0.84rem] text-destructive">
          {refused && !busy ? "That key is not known here." : ""}
        </p>
      </div>
      <Button type="submit" disabled={busy || key.trim() === ""}>
        {busy ? "Asking" : "Open"}
      </Button>
    </form>
  );
}
