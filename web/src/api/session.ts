/** Change the token in the address for a cookie, and take it out of the address; return whether there is a session. */
export async function openSession(): Promise<boolean> {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("token");
  if (token !== null) {
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
    const answer = await fetch("/api/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (!answer.ok) return false;
  }
  return (await fetch("/api/session")).ok;
}
