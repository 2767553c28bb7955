import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

const badgeVariants = cva(
  "inline-flex w-fit shrink-0 items-center gap-1 rounded-[5px] border px-1.5 py-px text-[0.76rem] font-medium whitespace-nowrap [&_svg]:size-3",
  {
    variants: {
      variant: {
        default: "border-transparent bg-secondary text-secondary-foreground",
        outline: "text-muted-foreground",
        success: "border-success/25 bg-[color-mix(in_srgb,var(--success)_10%,var(--card))] text-success",
        info: "border-info/25 bg-[color-mix(in_srgb,var(--info)_10%,var(--card))] text-info",
        warning: "border-warning/30 bg-[color-mix(in_srgb,var(--warning)_10%,var(--card))] text-warning",
        destructive: "border-destructive/25 bg-[color-mix(in_srgb,var(--destructive)_10%,var(--card))] text-destructive",
      },
    },
    defaultVariants: { variant: "default" },
  },
);

export type BadgeVariant = NonNullable<VariantProps<typeof badgeVariants>["variant"]>;

export function Badge({ className, variant, ...props }: ComponentProps<"span"> & VariantProps<typeof badgeVariants>) {
  return <span data-slot="badge" className={cn(badgeVariants({ variant }), className)} {...props} />;
}
