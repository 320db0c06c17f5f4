;; Leaves out each CR before LF, sixteen octets at a time. What it is for is said in line-ends.ts, which is the only caller.
(module
  (memory (export "memory") 3)

  ;; Copies the octets from $at to $end to $out, and gives where the copy ends. It looks at the octet at $end too.
  (func (export "copy") (param $at i32) (param $end i32) (param $out i32) (result i32)
    (local $left i32) (local $ends i32) (local $here v128)
    (loop $next
      (local.set $left (i32.sub (local.get $end) (local.get $at)))
      (local.set $here (v128.load (local.get $at)))
      (v128.store (local.get $out) (local.get $here))
      (local.set $ends (i8x16.bitmask (v128.and
        (i8x16.eq (local.get $here) (v128.const i8x16 13 13 13 13 13 13 13 13 13 13 13 13 13 13 13 13))
        (i8x16.eq
          (v128.load (i32.add (local.get $at) (i32.const 1)))
          (v128.const i8x16 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10)))))
      (if (i32.and (i32.eqz (local.get $ends)) (i32.gt_s (local.get $left) (i32.const 16)))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (local.set $out (i32.add (local.get $out) (i32.const 16)))
          (br $next)))
      ;; what lies behind the end is not looked at
      (local.set $left (select (local.get $left) (i32.const 16) (i32.lt_s (local.get $left) (i32.const 16))))
      (local.set $left (i32.ctz (i32.or (local.get $ends) (i32.shl (i32.const 1) (local.get $left)))))
      (local.set $at (i32.add (local.get $at) (local.get $left)))
      (local.set $out (i32.add (local.get $out) (local.get $left)))
      (if (i32.lt_s (local.get $at) (local.get $end))
        (then
          ;; a CR, unless all sixteen were none
          (local.set $at (i32.add (local.get $at) (i32.ne (local.get $left) (i32.const 16))))
          (br $next))))
    (local.get $out)))
