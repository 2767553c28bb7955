import { cva, type VariantProps } from "class-variance-authority";
import { Slot } from "radix-ui";
import type { ComponentProps, MouseEvent } from "react";
import { cn } from "@/lib/cn";

const buttonVariants = cva(
  "inline-flex shrink-0 cursor-default items-center justify-center gap-1.5 rounded-md text-[0.86rem] font-medium whitespace-nowrap outline-none transition-colors focus-visible:ring-2 focus-visible:ring-ring disabled:pointer-events-none disabled:opacity-50 aria-disabled:cursor-not-allowed aria-disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      variant: {
        default: "bg-primary text-primary-foreground hover:bg-primary/88",
        outline: "border border-input bg-card hover:bg-accent",
        secondary: "bg-secondary text-secondary-foreground hover:bg-accent",
        ghost: "hover:bg-accent",
        destructive: "border border-input bg-card text-destructive hover:bg-destructive/10",
        link: "text-info underline-offset-4 hover:underline",
      },
      size: { default: "h-8 px-3", sm: "h-7 px-2 text-[0.82rem]", icon: "size-8", "icon-sm": "size-[24px] [&_svg]:size-3.5" },
    },
    defaultVariants: { variant: "default", size: "default" },
  },
);

type Props = ComponentProps<"button"> &
  VariantProps<typeof buttonVariants> & {
    asChild?: boolean;
    /** Why whoever uses the page may not do this. Unlike a disabled button it has the focus, and says so. */
    refused?: string | undefined;
  };

export function Button({ className, variant, size, asChild = false, refused, ...props }: Props) {
  const Component = asChild ? Slot.Root : "button";
  const refusal = refused === undefined ? {} : { title: refused, "aria-disabled": true, onClick: (event: MouseEvent) => event.preventDefault() };
  return (
    <Component
      data-slot="button"
      type={asChild ? undefined : "button"}
      className={cn(buttonVariants({ variant, size, className }))}
      {...props}
      {...refusal}
    />
  );
}
