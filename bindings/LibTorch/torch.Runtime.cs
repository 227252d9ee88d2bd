using AsrPlatform.LibTorch.Interop;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch;

public static unsafe partial class torch
{
    /// <summary>LibTorch's version, as "1.13.1".</summary>
    public static string __version__ => Shim.Text(asrt_torch_version_text());

    /// <summary>Opens a <see cref="DisposeScope"/> on this thread, inside the one that is open.</summary>
    public static DisposeScope NewDisposeScope() => DisposeScope.Open();

    public static DisposeScope? CurrentDisposeScope => DisposeScope.Current;

    /// <summary>Threads of one operation, in the whole process: threads that ran operations before take it over too.</summary>
    /// <remarks>TorchSharp leaves other threads that already computed as they were.</remarks>
    public static void set_num_threads(int num) => Shim.Check(asrt_set_num_threads(num));

    public static int get_num_threads() => asrt_get_num_threads();

    /// <summary>Threads between operations; once, before the first use.</summary>
    public static void set_num_interop_threads(int num) => Shim.Check(asrt_set_num_interop_threads(num));

    public static int get_num_interop_threads() => asrt_get_num_interop_threads();

    /// <summary>Records no gradients on this thread until disposed.</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);

    public static bool is_grad_enabled() => asrt_grad_enabled() != 0;

    /// <summary>
    /// No gradients and no bookkeeping for them on this thread until disposed, on the thread that opened it. Tensors made
    /// inside can never take part in a backward pass.
    /// </summary>
    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);

    public static bool is_inference_mode_enabled() => asrt_inference_mode_enabled() != 0;

    public static bool cuda_is_available() => cuda.is_available();

    public static class cuda
    {
        public static bool is_available() => asrt_cuda_is_available() != 0;

        public static bool is_cudnn_available() => asrt_cudnn_is_available() != 0;

        public static int device_count() => asrt_cuda_device_count();

        /// <summary>Waits until the device has done everything that was asked of it.</summary>
        public static void synchronize(Device? device = null) => Shim.Check(asrt_cuda_synchronize(device?.index ?? -1));

        public static void manual_seed_all(long seed) => Shim.Check(asrt_cuda_manual_seed_all(seed));
    }

    public static class backends
    {
        public static class cuda
        {
            public static class matmul
            {
                public static bool allow_tf32
                {
                    get => Tf32(0, null);
                    set => Tf32(0, value);
                }
            }
        }

        public static class cudnn
        {
            public static bool allow_tf32
            {
                get => Tf32(1, null);
                set => Tf32(1, value);
            }
        }

        private static bool Tf32(int which, bool? wanted)
        {
            var value = wanted == true ? 1 : 0;
            Shim.Check(asrt_allow_tf32(which, wanted.HasValue ? 1 : 0, &value));
            return value != 0;
        }
    }

    private sealed class GradMode : IDisposable
    {
        private readonly bool _before = is_grad_enabled();

        public GradMode(bool enabled) => asrt_set_grad_enabled(enabled ? 1 : 0);

        public void Dispose() => asrt_set_grad_enabled(_before ? 1 : 0);
    }

    // No finalizer: the guard is the thread's, and must not be freed on another one.
    private sealed class InferenceMode : IDisposable
    {
        private nint _guard;

        public InferenceMode(bool on) => _guard = asrt_inference_mode_enter(on ? 1 : 0);

        public void Dispose()
        {
            if (_guard != 0)
            {
                asrt_inference_mode_leave(_guard);
                _guard = 0;
            }
        }
    }
}
