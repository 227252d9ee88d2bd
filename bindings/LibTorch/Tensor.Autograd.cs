using AsrPlatform.LibTorch.Interop;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch;

public static unsafe partial class torch
{
    public sealed partial class Tensor
    {
        public bool requires_grad
        {
            get
            {
                var result = asrt_requires_grad(Handle) != 0;
                GC.KeepAlive(this);
                return result;
            }
            set
            {
                Shim.Check(asrt_set_requires_grad(Handle, value ? 1 : 0));
                GC.KeepAlive(this);
            }
        }

        /// <summary>What backward passes have added up so far, or null; each reading makes a new tensor object.</summary>
        public Tensor? grad
        {
            get
            {
                int status;
                var handle = asrt_grad(Handle, &status);
                GC.KeepAlive(this);
                Shim.Check(status);
                return handle == 0 ? null : new Tensor(handle);
            }
            set
            {
                Shim.Check(asrt_set_grad(Handle, value?.Handle ?? 0));
                GC.KeepAlive(this);
                GC.KeepAlive(value);
            }
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);

        /// <summary>Keeps the gradient of a tensor that is no leaf.</summary>
        public void retain_grad()
        {
            Shim.Check(asrt_retain_grad(Handle));
            GC.KeepAlive(this);
        }

        /// <summary>The same memory outside the graph.</summary>
        public Tensor detach() => Shim.Wrap(asrt_detach(Handle), this);

        public Tensor detach_() => Shim.Done(asrt_detach_(Handle), this);

        /// <summary>Adds the gradients of this one-element tensor to every leaf that it depends on.</summary>
        public void backward() => autograd.Backward([this], null, false, false, null);

        public void backward(IList<Tensor>? grad_tensors = null, bool retain_graph = false, bool create_graph = false, IList<Tensor>? inputs = null) =>
            autograd.Backward([this], grad_tensors, retain_graph || create_graph, create_graph, inputs);
    }

    public static class autograd
    {
        /// <summary>The gradients of the outputs' sum for each input, added to nothing.</summary>
        /// <remarks>An input that was not used is an error, or with <paramref name="allow_unused"/> a tensor without a handle.</remarks>
        public static IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            nint[] from = Handles(outputs), to = Handles(inputs), given = Handles(grad_outputs), result = new nint[inputs.Count];
            fixed (nint* f = from, t = to, g = given, r = result)
            {
                var status = asrt_autograd_grad(f, from.Length, t, to.Length, g, given.Length, retain_graph || create_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, r);
                GC.KeepAlive(outputs);
                GC.KeepAlive(inputs);
                GC.KeepAlive(grad_outputs);
                Shim.Check(status);
            }
            return Array.ConvertAll(result, handle => new Tensor(handle));
        }

        public static void backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            Backward(tensors, grad_tensors, retain_graph ?? create_graph, create_graph, inputs);

        public static void backward(Tensor tensor, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            Backward([tensor], grad_tensors, retain_graph ?? create_graph, create_graph, inputs);

        internal static void Backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors, bool retain_graph, bool create_graph, IList<Tensor>? inputs)
        {
            nint[] from = Handles(tensors), given = Handles(grad_tensors), to = Handles(inputs);
            fixed (nint* f = from, g = given, t = to)
            {
                var status = asrt_backward(f, from.Length, g, given.Length, retain_graph ? 1 : 0, create_graph ? 1 : 0, t, to.Length);
                GC.KeepAlive(tensors);
                GC.KeepAlive(grad_tensors);
                GC.KeepAlive(inputs);
                Shim.Check(status);
            }
        }

        private static nint[] Handles(IList<Tensor>? tensors)
        {
            if (tensors is null)
            {
                return [];
            }
            var result = new nint[tensors.Count];
            for (var i = 0; i < result.Length; i++)
            {
                result[i] = tensors[i]?.Handle ?? 0;
            }
            return result;
        }
    }
}
