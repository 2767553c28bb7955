import { Command as Root, CommandEmpty as Empty, CommandGroup as Group, CommandInput as Search, CommandItem as Item, CommandList as List } from "cmdk";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export function Command({ className, ...props }: ComponentProps<typeof Root>) {
  return <Root data-slot="command" className={cn("flex min-h-0 flex-1 flex-col", className)} {...props} />;
}

export function CommandInput({ className, ...props }: ComponentProps<typeof Search>) {
  return <Search data-slot="command-input" className={cn("h-11 w-full border-b bg-transparent px-4 text-[0.95rem] outline-none placeholder:text-muted-foreground", className)} {...props} />;
}

export function CommandList({ className, ...props }: ComponentProps<typeof List>) {
  return <List data-slot="command-list" className={cn("max-h-[min(24rem,60dvh)] scroll-py-1 overflow-y-auto p-1", className)} {...props} />;
}

export function CommandEmpty(props: ComponentProps<typeof Empty>) {
  return <Empty data-slot="command-empty" className="px-3 py-8 text-center text-muted-foreground" {...props} />;
}

export function CommandGroup({ className, ...props }: ComponentProps<typeof Group>) {
  return (
    <Group
      data-slot="command-group"
      className={cn("[&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-[0.76rem] [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:text-muted-foreground", className)}
      {...props}
    />
  );
}

export function CommandItem({ className, ...props }: ComponentProps<typeof Item>) {
  return (
    <Item
      data-slot="command-item"
      className={cn(
        "flex cursor-default items-center gap-2 rounded-md px-2 py-1.5 text-[0.88rem] outline-none select-none data-[disabled=true]:opacity-50 data-[selected=true]:bg-accent [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-muted-foreground",
        className,
      )}
      {...props}
    />
  );
}
