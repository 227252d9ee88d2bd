namespace AsrPlatform.TorchShape;

/// <summary>
/// Every member of the binding, used the way that plugins use it. This compiles against bindings/LibTorch and against
/// TorchSharp; a member that is not here is not promised to plugins (LibTorch.Tests holds the two lists together).
/// </summary>
public static class Shape
{
    public static Tensor Factories(Generator generator, Device device, int rows)
    {
        long[] size = [2, 3];
        using var scope = NewDisposeScope();
        Tensor[] made =
        [
            zeros(3), zeros(rows, 3), zeros(2, 3, 4), zeros(2, 3, 4, 5, dtype: ScalarType.Int64), zeros(size, float16, device, true), zeros([1, 2]),
            ones(3), ones(rows, 3), ones(size, dtype: int64), ones([1, 2], requires_grad: true),
            empty(3), empty(rows, 3), empty(size, bfloat16), empty([1, 2]),
            full(size, 1.5f), full(3, 7), full(2, 3, 0.0), full([2], double.NegativeInfinity, float32),
            rand(2, 3), rand(size, generator: generator), randn(2, 3), randn(size, dtype: float64), randn([2, 2]),
            randint(10, size), randint(-5, 5, size, generator: generator), randperm(5),
            arange(5), arange(0, 5), arange(0, 5, 2), arange(0.0, 1.0, 0.1, dtype: float32), linspace(0, 1, 5), eye(3), eye(3, 4), hann_window(400),
            tensor(1f), tensor(1.0), tensor(1), tensor(1L), tensor(true), tensor((byte)1), tensor((sbyte)1), tensor((short)1),
            tensor(new float[] { 1, 2 }), tensor(new float[] { 1, 2 }, [2, 1]), tensor(new double[] { 1 }), tensor(new long[] { 1 }), tensor(new int[] { 1 }),
            tensor(new short[] { 1 }), tensor(new byte[] { 1 }), tensor(new sbyte[] { 1 }), tensor(new bool[] { true }), tensor(new Half[] { Half.One }),
            tensor(new long[] { 1, 2 }, dtype: float32, device: device, requires_grad: true), tensor(new float[,] { { 1 } }), tensor(new long[,,] { { { 1 } } }),
            tensor(new List<float> { 1 }), tensor(new List<long> { 1, 2 }, [1, 2]), tensor(new float[] { 1, 2 }.AsMemory(), [2]),
        ];
        var like = made[0];
        Tensor[] likes =
        [
            zeros_like(like), ones_like(like), empty_like(like, float16), full_like(like, 2.5), rand_like(like), randn_like(like),
            like.zeros_like(), like.ones_like(), like.empty_like(), like.full_like(1), like.rand_like(), like.randn_like(),
        ];
        return scope.MoveToOuter(cat([.. made, .. likes], 0));
    }

    public static object[] Types(Device device) =>
    [
        @bool, uint8, int8, int16, int32, int64, bfloat16, float16, float32, float64, complex64, complex128, @short, @int, @long, half, @float, @double,
        torch.CPU, torch.CUDA, torch.device("cuda:1"), torch.device("cuda", 0), torch.device(DeviceType.CPU), torch.device(0), (Device)"cpu",
        new Device("cpu"), new Device("cuda", 1), new Device(DeviceType.CUDA, 1), new Device(1), device.type, device.index,
        get_default_dtype(), is_floating_point(float16), is_integral(int8), is_complex(complex64), DeviceType.META, PaddingModes.Reflect, FFTNormType.Ortho,
        RoundingMode.floor, nn.Reduction.Sum, __version__,
    ];

    public static void Properties(Tensor t)
    {
        var facts = new object?[]
        {
            t.ndim, t.Dimensions, t.dim(), t.NumberOfElements, t.numel(), t.ElementSize, t.element_size(), t.is_cuda, t.is_leaf, t.dtype, t.device,
            t.device_type, t.device_index, t.shape, t.size(), t.size(-1), t.stride(), t.stride(0), t.storage_offset(), t.is_contiguous(),
            t.is_floating_point(), t.is_integral(), t.is_complex(), t.is_cpu(), t.IsInvalid, t.Handle, t.name, Tensor.TotalCount, t.ToString(),
        };
        t.name = facts.Length.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    public static void Data(Tensor t, ReadOnlySpan<byte> mapped, Stream stream)
    {
        mapped.CopyTo(t.bytes);
        t.bytes = new byte[4];
        using (var elements = t.data<float>())
        {
            var values = elements.ToArray();
            elements.CopyTo(values.AsSpan());
            elements.CopyTo(values);
            elements.CopyFrom(values);
            elements.CopyFrom((ReadOnlySpan<float>)values);
            elements[0] = elements[0, 1] + elements.Count + elements.First();
        }
        foreach (var half in t.data<Half>())
        {
            _ = half;
        }
        _ = t.item<long>() + t.ToSingle() + t.ToDouble() + t.ToInt64() + t.ToInt32() + (t.ToBoolean() ? 1 : 0) + (float)t + (double)t + (int)t + (long)t;
        _ = (bool)t;
        Scalar scalar = t.ToScalar();
        _ = scalar.ToSingle() + scalar.ToDouble() + scalar.ToInt64() + scalar.ToInt32() + (scalar.ToBoolean() ? 1 : 0);
        _ = (1.ToScalar(), 1L.ToScalar(), 1f.ToScalar(), 1.0.ToScalar(), true.ToScalar(), scalar.Type);
        scalar.Dispose();
        t.WriteBytesToStream(stream, 1 << 20);
        t.ReadBytesFromStream(stream, 1 << 20);
    }

    public static Tensor Casts(Tensor t, Device device)
    {
        using var scope = NewDisposeScope();
        Tensor[] made =
        [
            t.to(float16), t.to(float16, copy: true), t.to(device), t.to(float16, device), t.to("cpu"), t.to(DeviceType.CPU), t.to(t), t.to_type(float32),
            t.to(float32, disposeAfter: true), t.to(device, non_blocking: true), t.type(int64), t.type_as(t), t.cpu(), t.cuda(), t.@float(), t.@double(),
            t.half(), t.bfloat16(), t.@long(), t.@int(), t.@bool(), t.clone(), clone(t), t.contiguous(), t.pin_memory(), t.alias(),
            t.copy_(t), t.copy_(t, nonBlocking: true), t.set_(t), t.fill_(1.5), t.zero_(), t.normal_(), t.normal_(0, 0.02), t.uniform_(-1, 1), t.bernoulli_(0.1),
            t.bernoulli(), bernoulli(t), t.multinomial(1), multinomial(t, 2, true),
        ];
        return made[0].MoveToOuterDisposeScope();
    }

    public static Tensor Views(Tensor t, Tensor indices, int batch)
    {
        using var scope = NewDisposeScope();
        long[] shape = [2, 3];
        Tensor[] made =
        [
            t.view(2, 3), t.view(batch, -1), t.view(shape), t.view_as(t), t.reshape(batch, -1, 3), t.reshape(shape), reshape(t, 2, 3), t.expand(2, -1), t.expand(shape),
            t.expand_as(t), t.broadcast_to(2, 3), t.permute(1, 0), t.permute(0, 2, 1, 3), permute(t, 1, 0), t.repeat(2, 1), t.flip(0), flip(t, 0, 1),
            t.roll(1), t.roll(1, 0), t.roll([1], [0]), roll(t, 1, 0), roll(t, [1, 2], [0, 1]), t.movedim([0], [1]), t.as_strided([2], [1]), t.flatten(), t.flatten(1, 2),
            flatten(t), t.unflatten(0, 2, 3), t.unflatten(-1, 2, -1), t.transpose(1, 2), transpose(t, 0, 1), t.swapaxes(0, 1), t.t(), t.T, t.mT, t.squeeze(), t.squeeze(0),
            squeeze(t, 1), t.squeeze_(), t.unsqueeze(0), unsqueeze(t, -1), t.unsqueeze_(0), t.narrow(1, 0, 2), narrow(t, 0, 0, 1), t.select(0, 1), select(t, 0, 1),
            t.slice(0, 0, 4, 2), t.unfold(0, 400, 160), t.diagonal(), t.tril(), tril(t), t.tril_(1), t.triu(1), triu(t, 1), t.triu_(1),
            t.repeat_interleave(2, 0), repeat_interleave(t, 2, 0),
            cat([t, t]), cat(new List<Tensor> { t, t }, dim: 1), cat(new[] { t, t }, -1), stack([t, t]), stack(new List<Tensor> { t }, 1),
            .. t.split(2), .. t.split(2, 1), .. t.split([1, 2], 1), .. split(t, [1, 2]), .. t.chunk(3, -1), .. chunk(t, 2), .. t.unbind(), .. unbind(t, 1L),
            t[0], t[0, 1], t[0, 1, 2], t[.., 0], t[TensorIndex.Ellipsis, 0], t[TensorIndex.Colon, TensorIndex.None, TensorIndex.Null], t[TensorIndex.Slice(0, 2)],
            t[TensorIndex.Slice(0, null, 2)], t[TensorIndex.Slice(1..)], t[TensorIndex.Slice((1, 2))], t[1..3], t[^1], t[TensorIndex.Single(1)], t[TensorIndex.Bool(true)],
            t[TensorIndex.Tensor(indices)], t[indices], t[indices, indices], t[(1, 3), 0], t.index(indices), t.index(TensorIndex.Colon, 1L),
        ];
        t[0] = 1f;
        t[0, 1] = made[0];
        t[0, 1, 2] = 1;
        t[.., 0] = made[0];
        t[indices] = made[0];
        return made[0].DetachFromDisposeScope();
    }

    public static Tensor Indexing(Tensor t, Tensor i, Tensor source)
    {
        using var scope = NewDisposeScope();
        Tensor[] made =
        [
            t.index_put_(source, i), t.index_put_(source, TensorIndex.Colon, 1), t.index_put_(1.5, TensorIndex.Slice(0, 2)), t.index_put_(source, [i, i], true),
            t.index_select(0, i), index_select(t, 0, i), t.index_add_(0, i, source, 1), t.index_copy_(0, i, source), t.index_fill_(0, i, 0.5),
            t.gather(1, i), gather(t, 1, i), t.scatter(0, i, source), scatter(t, 0, i, source), t.scatter_(0, i, source), t.scatter_add(0, i, source),
            scatter_add(t, 0, i, source), t.scatter_add_(0, i, source), t.masked_fill(i, double.NegativeInfinity), t.masked_fill_(i, 0f), t.masked_select(i),
            masked_select(t, i), t.nonzero(), nonzero(t), t.where(i, source), where(i, t, source), .. where(i),
        ];
        return scope.Detach(made[0]);
    }

    public static Tensor Elements(Tensor t)
    {
        using var scope = NewDisposeScope();
        Tensor[] made =
        [
            t.abs(), t.abs_(), abs(t), t.neg(), t.neg_(), neg(t), t.exp(), t.exp_(), exp(t), t.expm1(), t.expm1_(), expm1(t), t.log(), t.log_(), log(t), t.log2(), t.log2_(),
            log2(t), t.log10(), t.log10_(), log10(t), t.log1p(), t.log1p_(), log1p(t), t.sqrt(), t.sqrt_(), sqrt(t), t.rsqrt(), t.rsqrt_(), rsqrt(t), t.reciprocal(),
            t.reciprocal_(), reciprocal(t), t.sin(), t.sin_(), sin(t), t.cos(), t.cos_(), cos(t), t.tanh(), t.tanh_(), tanh(t), t.sigmoid(), t.sigmoid_(), sigmoid(t),
            t.relu(), t.relu_(), t.silu(), t.silu_(), t.erf(), t.erf_(), erf(t), t.gelu(), t.gelu_(), t.floor(), t.floor_(), floor(t), t.ceil(), t.ceil_(), ceil(t),
            t.trunc(), t.trunc_(), trunc(t), t.sign(), t.sign_(), sign(t), t.round(), t.round_(), t.square(), square(t), t.isnan(), isnan(t), t.isinf(), isinf(t),
            t.isfinite(), isfinite(t), t.logical_not(), t.logical_not_(), logical_not(t), t.bitwise_not(), t.bitwise_not_(), bitwise_not(t), t.real, t.imag, t.view_as_real(),
        ];
        return t.MoveToOtherDisposeScope(made[0]);
    }

    public static Tensor Operands(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        Tensor[] made =
        [
            a.add(b), a.add(b, 0.5), a.add(1), a.add(1, 2), a.add_(b), a.add_(b, -0.1), a.add_(1.0), a.add_(1, 2), add(a, b), add(a, 1), add(a, b, 0.5),
            a.sub(b), a.sub(1), a.sub_(b), a.sub_(1), sub(a, b), sub(a, 1), a.mul(b), a.mul(0.5), a.mul_(b), a.mul_(0.5), mul(a, b), mul(a, 2),
            a.div(b), a.div(2.0), a.div(b, RoundingMode.floor), a.div_(b), a.div_(2), div(a, b), div(a, 2, RoundingMode.trunc), a.pow(b), a.pow(2), a.pow_(b), a.pow_(0.5),
            pow(a, b), pow(a, 2), a.remainder(b), a.remainder(2), a.remainder_(b), a.remainder_(2), remainder(a, b), remainder(a, 2), a.fmod(b), a.fmod(2), a.fmod_(b),
            a.fmod_(2), fmod(a, b), fmod(a, 2), a.eq(b), a.eq(1), a.eq_(b), a.eq_(1), eq(a, b), a.ne(b), a.ne(1), a.ne_(b), a.ne_(1), ne(a, b), a.lt(b), a.lt(1), a.lt_(b), a.lt_(1),
            lt(a, b), a.le(b), a.le(1), a.le_(b), a.le_(1), le(a, b), a.gt(b), a.gt(1), a.gt_(b), a.gt_(1), gt(a, b), a.ge(b), a.ge(1), a.ge_(b), a.ge_(1), ge(a, b),
            a.logical_and(b), a.logical_and_(b), logical_and(a, b), a.logical_or(b), a.logical_or_(b), logical_or(a, b), a.logical_xor(b), a.logical_xor_(b), logical_xor(a, b),
            a.bitwise_and(b), a.bitwise_and_(b), bitwise_and(a, b), a.bitwise_or(b), a.bitwise_or_(b), bitwise_or(a, b), a.bitwise_xor(b), a.bitwise_xor_(b), bitwise_xor(a, b),
            a.atan2(b), a.atan2_(b), atan2(a, b), a.maximum(b), maximum(a, b), a.minimum(b), minimum(a, b), a.max(b), max(a, b), a.min(b), min(a, b),
            a.matmul(b), matmul(a, b), a.mm(b), mm(a, b), a.bmm(b), bmm(a, b), a.mv(b), mv(a, b), a.dot(b), dot(a, b), a.outer(b), outer(a, b),
            a.clamp(0, 1), a.clamp(min: 1e-10), a.clamp(max: 1.0), a.clamp_(0, 1), a.clamp(b, b), a.clamp_(b, b), clamp(a, 0, 1), clamp(a, b, b), a.clamp_min(0), a.clamp_max(1),
            a.clamp_min_(0), a.clamp_max_(1), a.lerp(b, 0.1f), a.lerp_(b, 0.1f), lerp(a, b, b), a.addcmul(a, b, 0.5), a.addcmul_(a, b, 0.5), addcmul(a, b, b, 1),
            a.addcdiv(a, b, 0.5), a.addcdiv_(a, b, -0.1), addcdiv(a, b, b, 1), a.addmm(a, b), a.addmm_(a, b, beta: 0), addmm(a, a, b, 1, 1), a.baddbmm(a, b), baddbmm(a, a, b, beta: 0),
            a + b, a + 1, a + 1L, a + 0.5f, a + 0.5, 1 + a, 1L + a, 0.5f + a, 0.5 + a, a - b, a - 1, a - 0.5f, a - 0.5, 1 - a, 1f - a, 1.0 - a, a * b, a * 2, a * 0.5f, a * 0.5, 2 * a, 0.5f * a, 0.5 * a,
            a / b, a / 2, a / 0.5f, a / 0.5, 1 / a, 1f / a, 1.0 / a, a % b, a % 2, -a, a == b, a != b, a < b, a > b, a <= b, a >= b, a == 1, a != 1, a < 1, a > 0.5, a <= 1, a >= 1,
            a & b, a | b, a ^ b, ~a, torch.equal(a, b),
        ];
        _ = a.allclose(b) && allclose(a, b, 1e-3, 1e-6);
        return made[0].MoveToOtherDisposeScope(a);
    }

    public static Tensor Reductions(Tensor t, long dim)
    {
        using var scope = NewDisposeScope();
        long[] dims = [0, 1];
        var (values, indexes) = t.max(dim);
        (values, indexes) = t.min(dim, keepdim: true);
        (values, indexes) = max(t, dim);
        (values, indexes) = min(t, dim);
        (values, indexes) = t.topk(5);
        (values, indexes) = topk(t, 5, -1, largest: true, sorted: true);
        (values, indexes) = t.sort();
        (values, indexes) = sort(t, -1, descending: true, stable: true);
        Tensor[] made =
        [
            values, indexes, t.max(dim).values, t.topk(1).indexes, t.sort().Values, t.sort().Indices,
            t.sum(), t.sum(float32), t.sum(dim: 0), t.sum(dims), t.sum([0, 1], keepdim: true), sum(t), sum(t, dim: 0), sum(t, [0, 1]), t.mean(), t.mean(dims), t.mean([-1], true), mean(t),
            mean(t, dims), t.prod(), t.std(), t.std(0), t.std(dims, unbiased: false), std(t), std(t, 0), std(t, dims), t.var(), t.var(-1, false, true), t.var(dims), var(t), var(t, 0),
            var(t, dims), t.norm(), t.norm(1f), t.norm(0, true), norm(t, 2f), norm(t, 1, true), t.max(), max(t), t.min(), min(t), t.amax(0), t.amax(dims, true), t.amax([0]), t.amin(0),
            t.amin(dims, true), t.argmax(), t.argmax(-1), t.argmax(-1, true), argmax(t), argmax(t, -1), t.argmin(), t.argmin(0), argmin(t), argmin(t, 0), t.argsort(), argsort(t, 0, true),
            t.all(), t.all(0), all(t), t.any(), t.any(0), any(t), t.logsumexp(-1), logsumexp(t, -1), t.cumsum(0), cumsum(t, -1), t.count_nonzero(), count_nonzero(t), t.softmax(-1),
            t.softmax(-1, float32), softmax(t, -1), t.log_softmax(-1), fft.rfft(t), fft.rfft(t, 400, -1, FFTNormType.Backward), fft.irfft(t, 400),
        ];
        return scope.MoveToOther(null, made[0]);
    }

    public static Tensor Networks(Tensor x, Tensor weight, Tensor? bias, Tensor lengths)
    {
        using var scope = NewDisposeScope();
        Tensor[] made =
        [
            nn.functional.linear(x, weight), nn.functional.linear(x, weight, bias), nn.functional.conv1d(x, weight, bias, stride: 2, padding: 1),
            nn.functional.conv1d(x, weight, dilation: 1, groups: 1), nn.functional.layer_norm(x, [64], weight, bias), nn.functional.layer_norm(x, [64], weight, bias, 1e-5),
            nn.functional.gelu(x), nn.functional.relu(x), nn.functional.silu(x), nn.functional.tanh(x), nn.functional.sigmoid(x), nn.functional.softmax(x, -1),
            nn.functional.softmax(x, -1, float32), nn.functional.log_softmax(x, -1), nn.functional.scaled_dot_product_attention(x, x, x),
            nn.functional.scaled_dot_product_attention(x, x, x, attn_mask: weight), nn.functional.scaled_dot_product_attention(x, x, x, p: 0.1, is_casual: true),
            nn.functional.cross_entropy(x, lengths), nn.functional.cross_entropy(x, lengths, ignore_index: -100, reduction: nn.Reduction.Sum, label_smoothing: 0.1),
            nn.functional.nll_loss(x, lengths), nn.functional.mse_loss(x, x), nn.functional.kl_div(x, x, reduction: nn.Reduction.None),
            nn.functional.ctc_loss(x, x, lengths, lengths, blank: 0, zero_infinity: true, reduction: nn.Reduction.None), nn.functional.dropout(x, 0.1, training: true),
            nn.functional.one_hot(x, 10), nn.functional.pad(x, [0, 1]), nn.functional.pad(x, (200, 200), PaddingModes.Reflect), nn.functional.pad(x, [0, 1, 2, 3], value: -1),
        ];
        return scope.DisposeEverythingBut(made[0]).MoveToOuterDisposeScope();
    }

    public static void Gradients(Tensor loss, Tensor parameter)
    {
        parameter.requires_grad = true;
        _ = parameter.requires_grad_().with_requires_grad(false).requires_grad_(true).requires_grad;
        loss.retain_grad();
        loss.backward();
        loss.backward([loss], retain_graph: true, create_graph: true, inputs: [parameter]);
        autograd.backward(loss, retain_graph: true);
        autograd.backward([loss], [loss]);
        Tensor gradient = autograd.grad([loss], [parameter], [loss], retain_graph: true, create_graph: true, allow_unused: true)[0];
        if (parameter.grad is { } grad)
        {
            grad.mul_(0.5);
        }
        parameter.grad = gradient;
        parameter.grad = null;
        _ = parameter.detach().detach_();
        using (no_grad())
        using (enable_grad())
        using (set_grad_enabled(false))
        using (inference_mode())
        {
            _ = is_grad_enabled() || is_inference_mode_enabled();
        }
    }

    public static void Randomness(ulong seed)
    {
        using var generator = new Generator(seed);
        generator.manual_seed(1);
        using var state = generator.get_state();
        generator.set_state(state);
        _ = generator.seed() + generator.initial_seed() + initial_seed() + random.initial_seed();
        _ = (generator.device, generator.Handle, Generator.Default);
        manual_seed(1);
        random.manual_seed(1);
        set_rng_state(get_rng_state());
        random.set_rng_state(random.get_rng_state());
        cuda.manual_seed_all(1);
    }

    public static int Machine()
    {
        set_num_threads(1);
        set_num_interop_threads(1);
        if (cuda.is_available() && cuda_is_available() && cuda.is_cudnn_available())
        {
            cuda.synchronize();
            backends.cuda.matmul.allow_tf32 = !backends.cudnn.allow_tf32;
            backends.cudnn.allow_tf32 = backends.cuda.matmul.allow_tf32;
        }
        return get_num_threads() + get_num_interop_threads() + cuda.device_count();
    }

    public static void Scopes(Tensor a, Tensor b, Tensor c)
    {
        using var outer = NewDisposeScope();
        using var inner = NewDisposeScope();
        inner.Attach(a);
        inner.Attach(a, b);
        (a, b) = inner.MoveToOuter(a, b);
        (a, b, c) = inner.MoveToOuter(a, b, c);
        inner.MoveToOuter(new List<IDisposable> { a });
        (a, b) = inner.MoveToOther(outer, a, b);
        (a, b) = inner.Detach(a, b);
        inner.Detach(new List<IDisposable> { a });
        _ = inner.DisposablesCount + inner.DisposablesView.Count + (inner.Contains(a) ? 1 : 0);
        (a, b) = inner.DisposeEverythingBut(a, b);
        inner.DisposeEverything();
        _ = CurrentDisposeScope;
        a.Dispose();
    }
}
