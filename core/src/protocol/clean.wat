;; Reads clean text sixteen octets at a time: the bulk of every body. What it means is said in clean.ts, which is the only caller.
(module
  (memory (export "memory") 3)
  (global $written (export "written") (mut i32) (i32.const 0))

  ;; Copies the octets from $at to $end to $out, dots unstuffed, up to the first that needs a closer look. Returns its index.
  (func (export "copy") (param $at i32) (param $end i32) (param $out i32) (result i32)
    (local $start i32) (local $from i32) (local $odd i32) (local $left i32) (local $here v128) (local $before v128)
    (local.set $start (local.get $out))
    (local.set $from (local.get $at))
    (block $stop
      (loop $next
        (local.set $left (i32.sub (local.get $end) (local.get $at)))
        (local.set $here (v128.load (local.get $at)))
        (local.set $before (v128.load (i32.sub (local.get $at) (i32.const 1))))
        (v128.store (local.get $out) (local.get $here))
        ;; odd: CR and LF that do not follow each other, and a dot behind LF
        (local.set $odd (i8x16.bitmask (v128.or
          (v128.xor
            (i8x16.eq (local.get $before) (v128.const i8x16 13 13 13 13 13 13 13 13 13 13 13 13 13 13 13 13))
            (i8x16.eq (local.get $here) (v128.const i8x16 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10)))
          (v128.and
            (i8x16.eq (local.get $before) (v128.const i8x16 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10))
            (i8x16.eq (local.get $here) (v128.const i8x16 46 46 46 46 46 46 46 46 46 46 46 46 46 46 46 46))))))
        (if (i32.and (i32.eqz (local.get $odd)) (i32.gt_s (local.get $left) (i32.const 16)))
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set $out (i32.add (local.get $out) (i32.const 16)))
            (br $next)))
        ;; what lies behind the end is not looked at
        (local.set $left (select (local.get $left) (i32.const 16) (i32.lt_s (local.get $left) (i32.const 16))))
        (local.set $left (i32.ctz (i32.or (local.get $odd) (i32.shl (i32.const 1) (local.get $left)))))
        (local.set $at (i32.add (local.get $at) (local.get $left)))
        (local.set $out (i32.add (local.get $out) (local.get $left)))
        (br_if $stop (i32.ge_s (local.get $at) (local.get $end)))
        ;; a stuffed dot is left out, one before CR may be the end
        (br_if $stop (i32.ne (i32.load8_u (local.get $at)) (i32.const 46)))
        (br_if $stop (i32.eq (i32.load8_u (i32.sub (local.get $at) (i32.const 1))) (i32.const 13)))
        (br_if $stop (i32.ge_s (i32.add (local.get $at) (i32.const 1)) (local.get $end)))
        (br_if $stop (i32.eq (i32.load8_u (i32.add (local.get $at) (i32.const 1))) (i32.const 13)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    ;; a CR stays with what follows it
    (if (i32.and
          (i32.gt_s (local.get $at) (local.get $from))
          (i32.eq (i32.load8_u (i32.sub (local.get $at) (i32.const 1))) (i32.const 13)))
      (then
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (local.set $out (i32.sub (local.get $out) (i32.const 1)))))
    (global.set $written (i32.sub (local.get $out) (local.get $start)))
    (local.get $at)))
